import { createHash } from 'node:crypto'
import type { Storage } from '@ydbackup/core'
import { inFlight, keysOf } from '../bytes.ts'
import { type Claim, claimsOf } from '../claim.ts'
import { demand, sameKeys } from '../expect.ts'
import { GOLDEN } from '../golden/repository.ts'

const WIDTH = 8

interface Place {
	readonly store: Storage
	/** Ends with a slash. */
	readonly prefix: string
	readonly signal: AbortSignal
}

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'))
const widthOf = ({ store }: Place): number => Math.min(WIDTH, store.capabilities.maxConcurrency)

async function upload(to: Place): Promise<void> {
	await inFlight(widthOf(to), GOLDEN, ([key, sha256, base64]) => {
		const bytes = bytesOf(base64)
		return to.store.put(to.prefix + key, bytes, { size: bytes.length, sha256, signal: to.signal })
	})
}

/** As a repository is copied: what a get yields goes into a put as it comes, and is held to size and hash. */
async function copy(from: Place, to: Place): Promise<void> {
	await inFlight(Math.min(widthOf(from), widthOf(to)), GOLDEN, async ([key, sha256, base64]) => {
		const body = async function* (): AsyncGenerator<Uint8Array> {
			yield* (await from.store.get(from.prefix + key, { signal: from.signal })).bytes
		}
		await to.store.put(to.prefix + key, body, { size: bytesOf(base64).length, sha256, signal: to.signal })
	})
}

async function demandGolden(place: Place, what: string): Promise<void> {
	const { store, prefix, signal } = place
	sameKeys(
		await keysOf(store, prefix, { signal }),
		GOLDEN.map(([key]) => prefix + key),
		`the listing of ${what}`,
	)
	await inFlight(widthOf(place), GOLDEN, async ([key, expected]) => {
		const hash = createHash('sha256')
		for await (const part of (await store.get(prefix + key, { signal })).bytes) hash.update(part)
		const found = hash.digest('hex')
		demand(found === expected, `${key} of ${what} has the sha256 ${found} instead of ${expected}`)
	})
}

export const goldenClaims: readonly Claim[] = claimsOf('golden', {
	repository: {
		title: 'a repository that was written earlier comes back with every hash',
		async check({ store, signal }) {
			const place = { store, prefix: 'repository/', signal }
			await upload(place)
			await demandGolden(place, 'the repository')
		},
	},
	copy: {
		title: 'a repository that is copied to another place, and from there back, keeps every hash',
		async check({ store, signal, prefix, another, options }) {
			const first = { store, prefix: 'first/', signal }
			const back = { store, prefix: 'back/', signal }
			await upload(first)
			const other = await options.openOther?.({ signal })
			const second = other
				? { store: other, prefix: `${prefix}second/`, signal }
				: { store: await another(), prefix: 'second/', signal }
			try {
				await copy(first, second)
				await demandGolden(second, 'the copy')
				await copy(second, back)
				await demandGolden(back, 'the copy of the copy')
			} finally {
				if (other) {
					// Not the signal of the claim: what was written must go after a stop too.
					await inFlight(WIDTH, GOLDEN, ([key]) => other.delete(second.prefix + key)).catch(() => undefined)
					await other[Symbol.asyncDispose]()
				}
			}
		},
	},
})
