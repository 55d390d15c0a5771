import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { checked } from '@ydbackup/core/driver-kit'
import { blocksOf, piecesOf } from '../src/blocks.ts'
import { spanOf } from '../src/download.ts'

const DATA = Buffer.from(Uint8Array.from({ length: 1000 }, (_, i) => i % 251))
const SHA256 = createHash('sha256').update(DATA).digest('hex')

async function* inPieces(bytes: number): AsyncGenerator<Uint8Array> {
	// One memory for all pieces, as a careful source has it.
	const memory = Buffer.alloc(bytes)
	for (let at = 0; at < DATA.length; at += bytes) {
		const length = DATA.copy(memory, 0, at, at + bytes)
		yield memory.subarray(0, length)
	}
}

async function cut(
	pieces: AsyncIterable<Uint8Array>,
	blockBytes: number,
	expected?: number,
): Promise<{ bytes: Buffer; sizes: number[]; lasts: number }> {
	const parts: Buffer[] = []
	let lasts = 0
	for await (const { bytes, isLast, release } of blocksOf(pieces, blockBytes, expected)) {
		parts.push(Buffer.from(bytes))
		lasts += isLast ? 1 : 0
		release()
	}
	return { bytes: Buffer.concat(parts), sizes: parts.map(({ length }) => length), lasts }
}

test('blocks have one size, whatever the pieces have, and the last one knows it', async () => {
	for (const piece of [1, 7, 100, 999, 1000])
		for (const [block, sizes] of [
			[1000, [1000]],
			[999, [999, 1]],
			[500, [500, 500]],
			[300, [300, 300, 300, 100]],
			[2000, [1000]],
		] as const)
			for (const expected of [undefined, 0, 10, 1000])
				expect(await cut(inPieces(piece), block, expected)).toEqual({ bytes: DATA, sizes, lasts: 1 })
})

test('nothing is one empty block', async () => {
	expect(await cut(piecesOf(Buffer.alloc(0)), 100)).toEqual({ bytes: Buffer.alloc(0), sizes: [0], lasts: 1 })
})

test('a body that is not what was declared is refused before its last block', async () => {
	const blocks = (declared: object): Promise<unknown> => cut(checked(inPieces(100), 'k', declared), 300)
	await expect(blocks({ size: 1000, sha256: SHA256 })).resolves.toMatchObject({ lasts: 1 })
	await expect(blocks({ size: 999 })).rejects.toMatchObject({ code: 'STORAGE_INTEGRITY' })
	await expect(blocks({ size: 1001 })).rejects.toMatchObject({ code: 'STORAGE_INTEGRITY' })
	await expect(blocks({ sha256: SHA256.replace(/./, 'x') })).rejects.toMatchObject({ code: 'STORAGE_INTEGRITY' })
})

test('an answer says which bytes it has', () => {
	expect(spanOf('bytes 5-9/100', 5)).toEqual({ from: 5, end: 10, size: 100 })
	expect(spanOf(undefined, 7)).toEqual({ from: 0, end: 7, size: 7 })
	expect(spanOf(undefined, undefined)).toBeUndefined()
	expect(spanOf('bytes */100', 0)).toBeUndefined()
})
