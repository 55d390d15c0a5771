import { createHash } from 'node:crypto'
import type { PutBody, PutOptions, Storage } from '@ydbackup/core'
import { content, pieces, piecesInTurn, read } from '../bytes.ts'
import { type Claim, claimsOf } from '../claim.ts'
import { refused, sameBytes } from '../expect.ts'
import { absent } from '../presence.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function refusedPut(store: Storage, body: PutBody, options: PutOptions, what: string): Promise<void> {
	await refused(store.put('refused', body, options), `a put of ${what}`, 'STORAGE_INTEGRITY')
	await absent(store, 'refused', `after a put of ${what}`)
}

const bytes = content('integrity', 10_000)
/** New ones for each put: that a body can be opened again is another claim. */
const bodies: readonly (readonly [string, () => PutBody])[] = [
	['bytes', () => bytes],
	['a stream', () => pieces(bytes, 3000)],
]

export const integrityClaims: readonly Claim[] = claimsOf('integrity', {
	'right-declarations': {
		title: 'a body of the declared size and hash is stored',
		async check({ store }) {
			for (const [name, body] of bodies) {
				await store.put('object', body(), { size: bytes.length, sha256: sha256(bytes) })
				sameBytes(await read(store, 'object', bytes.length), bytes, `the object of ${name}`)
				await store.delete('object')
			}
		},
	},
	'wrong-hash': {
		title: 'a body with another hash than declared is refused and not stored',
		async check({ store }) {
			const options = { sha256: sha256(content('other', 10_000)) }
			for (const [name, body] of bodies) {
				await refusedPut(store, body(), options, `${name} with a wrong hash`)
				await refusedPut(
					store,
					body(),
					{ ...options, size: bytes.length },
					`${name} with a wrong hash and the right size`,
				)
			}
		},
	},
	'wrong-size': {
		title: 'a body of another size than declared is refused and not stored',
		async check({ store }) {
			for (const [name, body] of bodies)
				for (const size of [bytes.length - 1, bytes.length + 1, 0])
					await refusedPut(
						store,
						body(),
						{ size },
						`${name} that was declared with ${size} bytes and has ${bytes.length}`,
					)
		},
	},
	'wrong-size-large': {
		title: 'the same holds for objects that take more than one request',
		level: 'full',
		async check({ store, plan }) {
			const bytes = content('large', plan.largeBytes)
			for (const size of [plan.largeBytes - 1, plan.largeBytes + 1])
				await refusedPut(
					store,
					pieces(bytes, 300_000),
					{ size },
					`a large stream with ${size === plan.largeBytes - 1 ? 'one byte more' : 'one byte less'} than declared`,
				)
			await refusedPut(store, pieces(bytes, 300_000), { sha256: '0'.repeat(64) }, 'a large stream with a wrong hash')
		},
	},
	'memory-in-turn': {
		title: 'pieces of a body are written or copied before the next one is asked for',
		async check({ store }) {
			for (const pieceBytes of [100, 3000, 70_000]) {
				const whole = content('in turn', pieceBytes * 3 + 50)
				for (const ifAbsent of store.capabilities.conditionalCreate ? [false, true] : [false]) {
					const key = `object-${pieceBytes}-${ifAbsent}`
					await store.put(key, piecesInTurn(whole, pieceBytes), ifAbsent ? { ifAbsent } : {})
					sameBytes(await read(store, key, whole.length), whole, `an object of pieces of ${pieceBytes} bytes`)
				}
			}
		},
	},
	'every-byte': {
		title: 'every byte value comes back, in text that a transfer could change too',
		async check({ store }) {
			const all = Uint8Array.from({ length: 65_536 }, (_, index) => (index % 256) ^ (index >> 8))
			const texts = ['\r\n\r\n', '\uFEFFtext', '0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n', '%41+%2B', '<xml/>', '\u{1F4BE}']
			for (const [index, data] of [all, ...texts.map((text) => Buffer.from(text))].entries()) {
				await store.put(`object${index}`, data)
				sameBytes(await read(store, `object${index}`, data.length), data, `object ${index}`)
			}
		},
	},
})
