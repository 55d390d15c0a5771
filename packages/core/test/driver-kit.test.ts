import { createHash } from 'node:crypto'
import { isBackupError } from '@ydbackup/core'
import { checked, checkWhole, nearestOf, orAborted, releasing, untilAborted } from '@ydbackup/core/driver-kit'
import { expect, test } from 'vitest'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const silence = (): Promise<never> => new Promise(() => {})

async function* bodyOf(...parts: string[]): AsyncGenerator<Uint8Array> {
	for (const part of parts) yield bytes(part)
}

async function collected(stream: AsyncIterable<Uint8Array>): Promise<string> {
	const pieces: Uint8Array[] = []
	for await (const piece of stream) pieces.push(piece)
	return Buffer.concat(pieces).toString()
}

test('a body that is what was declared passes unchanged', async () => {
	expect(await collected(checked(bodyOf('ab', '', 'c'), 'k', { size: 3, sha256: sha256('abc') }))).toBe('abc')
	expect(await collected(checked([], 'k', { size: 0, sha256: sha256('') }))).toBe('')
	checkWhole(bytes('abc'), 'k', { size: 3, sha256: sha256('abc') })
})

test.each([
	['shorter', { size: 4 }],
	['longer', { size: 2 }],
	['other', { sha256: sha256('abd') }],
])('a body that is %s than declared throws before its end', async (_, declared) => {
	const integrity = (error: unknown): boolean => isBackupError(error, 'STORAGE_INTEGRITY')
	const seen: unknown = await collected(checked(bodyOf('ab', 'c'), 'k', declared)).catch((error: unknown) => error)
	expect(integrity(seen)).toBe(true)
	expect(() => checkWhole(bytes('abc'), 'k', declared)).toThrow(/^k (was declared|does not have)/)
})

test('a silent source is left when the signal aborts, and is told so', async () => {
	let isLeft = false
	const source: AsyncIterable<Uint8Array> = {
		[Symbol.asyncIterator]: () => ({
			next: silence,
			return: async () => {
				isLeft = true
				return { done: true, value: undefined }
			},
		}),
	}
	const stop = new AbortController()
	const reading = collected(untilAborted(source, stop.signal, 'reading k'))
	stop.abort()
	await expect(reading).rejects.toMatchObject({ code: 'INTERRUPTED', message: 'stopped while reading k' })
	expect(isLeft).toBe(true)
})

test('what cannot be stopped is waited for no longer than the signal allows', async () => {
	const stop = new AbortController()
	expect(await orAborted(Promise.resolve(1), stop.signal, 'asking')).toBe(1)
	const asking = orAborted(silence(), stop.signal, 'asking')
	stop.abort()
	await expect(asking).rejects.toMatchObject({ code: 'INTERRUPTED' })
	await expect(orAborted(silence(), stop.signal, 'asking again')).rejects.toMatchObject({ code: 'INTERRUPTED' })
})

test('a failure after the abort ends no process', async () => {
	const { promise, reject } = Promise.withResolvers<never>()
	const waiting = orAborted(promise, AbortSignal.abort(), 'asking')
	await expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' })
	reject(new Error('too late'))
	await new Promise((resolve) => setImmediate(resolve))
})

test('a reader who leaves before the first item releases the source, once', async () => {
	let released = 0
	const unread = releasing(bodyOf('a'), () => released++)[Symbol.asyncIterator]()
	await unread.return?.()
	await unread.return?.()
	expect(released).toBe(1)
	expect(await collected(releasing(bodyOf('a', 'b'), () => released++))).toBe('ab')
	expect(released).toBe(1)
})

test('the nearest name is the beginning of one, or few letters away, in any case', () => {
	const names = ['endpoint', 'pathStyle', 'region']
	expect(nearestOf('end', names)).toBe('endpoint')
	expect(nearestOf('regoin', names)).toBe('region')
	expect(nearestOf('PATH-STYLE', names)).toBe('pathStyle')
	expect(nearestOf('verbose', names)).toBeUndefined()
	expect(nearestOf('x'.repeat(1e7), names)).toBeUndefined()
})
