import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'

import { BackupError, isBackupError } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { compressFrame, decompress, type DecompressLimits, parseCompression, sha256Hex } from '../src/index.ts'

const fixtures = join(import.meta.dirname, 'fixtures/zstd')
const rows = readFileSync(join(fixtures, 'rows.csv'))
const csv = Buffer.from(Array.from({ length: 20_000 }, (_, n) => `${n},"name%20${(n * 7919) % 1009}",null\n`).join(''))

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
	const parts: Uint8Array[] = []
	for await (const part of stream) parts.push(Buffer.from(part))
	return Buffer.concat(parts)
}
async function plain(stored: Uint8Array, limits?: DecompressLimits, size = 65_536): Promise<Buffer> {
	return collect(decompress(pieces(stored, size), 'zstd-1', limits))
}
async function failure(work: Promise<unknown>): Promise<BackupError> {
	const error: unknown = await work.then(
		() => undefined,
		(thrown: unknown) => thrown,
	)
	if (!isBackupError(error)) throw new Error(`no BackupError: ${String(error)}`)
	return error
}
const withoutSize = (bytes: Uint8Array): Buffer =>
	zstdCompressSync(bytes, { params: { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_checksumFlag]: 1 } })

test('compressions are read, and others are refused', () => {
	expect(['none', 'zstd', 'zstd-1', 'zstd-22'].map(parseCompression)).toEqual(['none', 'zstd-3', 'zstd-1', 'zstd-22'])
	for (const text of ['', 'gzip', 'zstd-0', 'zstd-23', 'zstd-01', 'zstd-1.5', 'zstd--1', 'ZSTD', ' none', 'zstd-1\n']) {
		expect(() => parseCompression(text), text).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
	}
})

test('a frame has content size and checksum, and the same bytes give the same frame', async () => {
	const frames = await Promise.all([1, 2, 3, 4].map(() => compressFrame(csv, 'zstd-1')))
	expect(new Set(frames.map(sha256Hex)).size).toBe(1)
	const frame = Buffer.from(frames[0]!)
	const descriptor = frame[4]!
	expect(descriptor & 0x04).toBe(0x04)
	expect(descriptor >> 6).toBe(2)
	const sizeAt = (descriptor & 0x20) === 0 ? 6 : 5
	expect(frame.readUInt32LE(sizeAt)).toBe(csv.length)
	const unchecked = Buffer.from(await compressFrame(csv, 'zstd-1', { checksum: false }))
	expect(unchecked[4]! & 0x04).toBe(0)
	expect(unchecked.length).toBe(frame.length - 4)
	expect(Buffer.compare(await plain(unchecked), csv)).toBe(0)
})

test('nothing is compressed to nothing, as YDB has it for empty tables', async () => {
	expect(await compressFrame(new Uint8Array(0), 'zstd-1')).toHaveLength(0)
	expect(await plain(new Uint8Array(0))).toHaveLength(0)
})

test.for(['cli-checked.zst', 'cli-stream.zst', 'cli-many-frames.zst'])(
	'%s, which the zstd tool made, is read',
	async (name) => {
		const stored = readFileSync(join(fixtures, name))
		for (const size of [1, 7, 1000, stored.length]) expect(await plain(stored, {}, size)).toEqual(rows)
		expect(await plain(stored, { maxFrameBytes: 1 })).toEqual(rows)
	},
)

test('any mixture of frames in any pieces comes back, whole and streamed', async () => {
	const frame = fc.record({
		at: fc.nat(csv.length - 1),
		length: fc.oneof(fc.nat(300), fc.nat(200_000)),
		kind: fc.constantFrom('ours', 'no size', 'skippable'),
	})
	const skippable = Buffer.from('5f2a4d1803000000616263', 'hex')
	await fc.assert(
		fc.asyncProperty(
			fc.array(frame, { maxLength: 5 }),
			fc.constantFrom(1, 3, 1009, 65_536, 1 << 20),
			fc.constantFrom(1, 1000, 1 << 20),
			async (list, size, maxFrameBytes) => {
				const parts = list
					.filter(({ kind }) => kind !== 'skippable')
					.map(({ at, length }) => csv.subarray(at, at + length))
				const stored = await Promise.all(
					list.map(({ at, length, kind }) => {
						const part = csv.subarray(at, at + length)
						if (kind === 'skippable') return skippable
						return kind === 'ours' ? compressFrame(part, 'zstd-1') : withoutSize(part)
					}),
				)
				const bytes = Buffer.concat(stored)
				const total = Buffer.concat(parts)
				const found = await plain(
					bytes,
					{ maxFrameBytes, maxTotalBytes: total.length },
					bytes.length > 20_000 ? 4096 : size,
				)
				expect(found.equals(total)).toBe(true)
			},
		),
		{ numRuns: 60 },
	)
})

test('every cut inside a frame is seen', async () => {
	const first = await compressFrame(rows.subarray(0, 3000), 'zstd-1')
	const stored = Buffer.concat([first, await compressFrame(rows.subarray(3000), 'zstd-1')])
	for (let length = 1; length < stored.length; length += 13) {
		if (length === first.length) continue
		for (const maxFrameBytes of [1, 1 << 20]) {
			const error = await failure(plain(stored.subarray(0, length), { maxFrameBytes }))
			expect(error.code).toBe('FORMAT_INVALID')
			expect(error.message).toContain('cut off')
		}
	}
})

test('whatever follows the last frame is seen', async () => {
	const stored = await compressFrame(rows, 'zstd-1')
	for (const tail of ['\0', '\n', 'garbage that is long enough', '\x28\xb5\x2f']) {
		const error = await failure(plain(Buffer.concat([stored, Buffer.from(tail, 'latin1')])))
		expect(error.message).toMatch(
			new RegExp(`byte ${stored.length}: (what follows is no zstd frame|it is cut off)`, 'u'),
		)
	}
})

test('every flipped bit is seen or changes nothing', async () => {
	const stored = Buffer.from(await compressFrame(rows.subarray(0, 2000), 'zstd-1'))
	for (const maxFrameBytes of [1, 1 << 20]) {
		for (let bit = 0; bit < stored.length * 8; bit += 5) {
			const damaged = Buffer.from(stored)
			damaged[bit >> 3]! ^= 1 << (bit & 7)
			const found = await plain(damaged, { maxFrameBytes, maxTotalBytes: 2000 }).catch((error: unknown) => error)
			if (found instanceof Buffer) expect(found.equals(rows.subarray(0, 2000)) || found.length === 0).toBe(true)
			else expect(found).toMatchObject({ code: 'FORMAT_INVALID' })
		}
	}
})

test('random bytes behind a magic number are refused and nothing hangs', async () => {
	let refused = 0
	await fc.assert(
		fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (noise) => {
			const stored = Buffer.concat([Buffer.from('28b52ffd', 'hex'), noise])
			const found = await plain(stored, { maxTotalBytes: 1 << 20 }).catch((error: unknown) => error)
			if (found instanceof Buffer) return
			expect(found).toMatchObject({ code: 'FORMAT_INVALID' })
			refused++
		}),
		{ numRuns: 300 },
	)
	expect(refused).toBeGreaterThan(200)
})

test('a bomb that says its size is refused before it is unpacked', async () => {
	const bomb = await compressFrame(Buffer.alloc(50 << 20), 'zstd-1')
	expect(bomb.length).toBeLessThan(10_000)
	const error = await failure(plain(bomb, { maxTotalBytes: 1 << 20 }))
	expect(error.message).toContain('more than the 1048576 bytes')
})

test('a bomb that does not say its size is stopped at the limit', async () => {
	const bomb = withoutSize(Buffer.alloc(50 << 20))
	let seen = 0
	async function drain(): Promise<void> {
		for await (const bytes of decompress(pieces(bomb, 1000), 'zstd-1', { maxTotalBytes: 1 << 20 })) seen += bytes.length
	}
	expect((await failure(drain())).message).toContain('more than the 1048576 bytes')
	expect(seen).toBeLessThanOrEqual(1 << 20)
})

test('many small bombs are stopped at the same limit', async () => {
	const bomb = await compressFrame(Buffer.alloc(1 << 20), 'zstd-1')
	const stored = Buffer.concat(Array.from({ length: 50 }, () => bomb))
	expect((await failure(plain(stored, { maxTotalBytes: 3 << 20 }))).code).toBe('FORMAT_INVALID')
	expect(await plain(stored, { maxTotalBytes: 50 << 20 })).toHaveLength(50 << 20)
})

test('a frame that holds more or less than it says is refused', async () => {
	const stored = Buffer.from(await compressFrame(csv, 'zstd-1'))
	const at = (stored[4]! & 0x20) === 0 ? 6 : 5
	for (const claimed of [0, 1, csv.length - 1, csv.length + 1, 2 ** 31]) {
		const lying = Buffer.from(stored)
		lying.writeUInt32LE(claimed, at)
		for (const maxFrameBytes of [1, 8 << 20]) {
			expect((await failure(plain(lying, { maxFrameBytes }))).code).toBe('FORMAT_INVALID')
		}
	}
})

test('a window beyond 128 MiB, a dictionary and reserved bits are refused', async () => {
	const header = (descriptor: number, ...rest: number[]): Buffer =>
		Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, ...rest, 1, 0, 0])
	expect(await plain(header(0x00, 0x58))).toHaveLength(0)
	expect((await failure(plain(header(0x00, 0x90)))).message).toContain('window')
	expect((await failure(plain(header(0x00, 0xff)))).message).toContain('window')
	expect((await failure(plain(header(0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)))).message).toContain(
		'window',
	)
	expect((await failure(plain(header(0x01, 0x58, 0x07)))).message).toContain('dictionary')
	expect((await failure(plain(header(0x08, 0x58)))).message).toContain('reserved')
})

test('endless empty blocks are read without holding them', async () => {
	async function* stored(): AsyncGenerator<Uint8Array> {
		yield Buffer.from('28b52ffd2405', 'hex')
		const blocks = Buffer.alloc(3 * 100_000)
		for (let n = 0; n < 40; n++) yield blocks
	}
	const error = await failure(collect(decompress(stored(), 'zstd-1', { maxFrameBytes: 1 << 20 })))
	expect(error.message).toContain('cut off')
})

test('a frame too large to hold comes in pieces', async () => {
	const stored = zstdCompressSync(Buffer.alloc(20 << 20, csv))
	let largest = 0
	let total = 0
	for await (const bytes of decompress(pieces(stored, 65_536), 'zstd-1')) {
		largest = Math.max(largest, bytes.length)
		total += bytes.length
	}
	expect(total).toBe(20 << 20)
	expect(largest).toBeLessThanOrEqual(256 << 10)
})

test('an error of the source comes through as it is', async () => {
	const stored = Buffer.concat([await compressFrame(csv, 'zstd-1'), withoutSize(csv)])
	const cause = new BackupError('STORAGE_TRANSIENT', 'reset by peer', { retry: 'same' })
	for (const length of [0, 3, 100, stored.length - 5]) {
		async function* broken(): AsyncGenerator<Uint8Array> {
			yield* pieces(stored.subarray(0, length), 4096)
			throw cause
		}
		expect(await failure(collect(decompress(broken(), 'zstd-1')))).toBe(cause)
	}
})

test('whoever stops reading releases the source', async () => {
	for (const stored of [await compressFrame(csv, 'zstd-1'), withoutSize(csv)]) {
		let isReleased = false
		async function* source(): AsyncGenerator<Uint8Array> {
			try {
				for (let n = 0; n < 100; n++) yield stored
			} finally {
				isReleased = true
			}
		}
		for await (const bytes of decompress(source(), 'zstd-1')) if (bytes.length > 0) break
		expect(isReleased).toBe(true)
	}
})

test('without compression bytes pass, up to the limit', async () => {
	async function read(limits: DecompressLimits): Promise<Buffer> {
		return collect(decompress(pieces(csv, 1000), 'none', limits))
	}
	expect((await read({ maxTotalBytes: csv.length })).equals(csv)).toBe(true)
	expect((await failure(read({ maxTotalBytes: csv.length - 1 }))).code).toBe('FORMAT_INVALID')
	expect(await compressFrame(csv, 'none')).toBe(csv)
})
