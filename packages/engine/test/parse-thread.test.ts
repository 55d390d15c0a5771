import { BackupError, isBackupError, type RowChunk, type TableSchema } from '@ydbackup/core'
import { compressFrame, createCsvParser } from '@ydbackup/format'
import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'
import { openParseThread } from '../src/part/parse-thread.ts'
import type { ParseJob } from '../src/part/parse-worker.ts'
import { FOR_A_THREAD, readPart } from '../src/part/read-part.ts'

const schema: TableSchema = {
	columns: [
		{ name: 'id', type: { kind: 'primitive', name: 'Uint64' } },
		{ name: 'text', type: { kind: 'optional', item: { kind: 'primitive', name: 'Utf8' } } },
	],
	primaryKey: ['id'],
}
const job: ParseJob = { schema, name: 'data_00.csv', chunkBytes: 1000, compression: 'none', limits: {} }

const lines = (from: number, count: number): Buffer =>
	Buffer.from(Array.from({ length: count }, (_, at) => `${from + at},"row+${from + at}"\n`).join(''))

interface Rows {
	readonly bytes: Buffer
	readonly rows: number
	readonly keys: readonly string[]
}

function rowsOf(chunks: readonly RowChunk[]): Rows {
	return {
		bytes: Buffer.concat(chunks.map(({ bytes }) => bytes)),
		rows: chunks.reduce((sum, { rows }) => sum + rows, 0),
		keys: chunks.flatMap(({ firstKey, lastKey }) => [firstKey, lastKey].map((key) => Buffer.from(key).toString('hex'))),
	}
}

function here(text: Uint8Array): Rows {
	const parser = createCsvParser(schema, { file: '', chunkBytes: job.chunkBytes })
	return rowsOf([...parser.push(text), ...parser.end()])
}

async function onThread(pieces: Iterable<Uint8Array>, more: Partial<ParseJob> = {}): Promise<Rows & { plain: number }> {
	async function* stored(): AsyncGenerator<Uint8Array> {
		yield* pieces
	}
	const chunks: RowChunk[] = []
	let plain = 0
	for await (const parsed of openParseThread().parse({ ...job, ...more }, stored())) {
		chunks.push(...parsed.chunks)
		plain += parsed.plainBytes
	}
	return { ...rowsOf(chunks), plain }
}

function cut(text: Buffer, places: readonly number[]): Buffer[] {
	const ends = [...new Set(places.map((place) => place % text.length))].toSorted((a, b) => a - b)
	return [0, ...ends].map((start, at) => text.subarray(start, ends[at] ?? text.length))
}

test('a file that comes in any pieces, compressed or not, gives the rows that it gives here', async () => {
	const text = lines(0, 2000)
	const frames = [text.subarray(0, 20_000), text.subarray(20_000)]
	const packed = Buffer.concat(await Promise.all(frames.map((frame) => compressFrame(frame, 'zstd-1'))))
	await fc.assert(
		fc.asyncProperty(fc.array(fc.nat(100_000), { maxLength: 6 }), fc.boolean(), async (places, isPacked) => {
			const pieces = cut(isPacked ? packed : text, places)
			const found = await onThread(pieces, { compression: isPacked ? 'zstd-1' : 'none' })
			expect(found).toMatchObject({ bytes: here(text).bytes, rows: 2000, plain: text.length })
		}),
		{ numRuns: 25 },
	)
})

test('many files at the same time keep their own rows, also when their reader takes its time', async () => {
	const files = Array.from({ length: 8 }, async (_, file) => {
		const text = lines(file * 10_000, 5000)
		async function* stored(): AsyncGenerator<Uint8Array> {
			for (const piece of cut(text, [file, 9999, 20_000, 30_000, 40_000])) yield piece
		}
		const chunks: RowChunk[] = []
		for await (const parsed of openParseThread().parse({ ...job, name: `data_0${file}.csv` }, stored())) {
			await new Promise((resolve) => setTimeout(resolve, file % 3))
			chunks.push(...parsed.chunks)
		}
		expect(rowsOf(chunks).bytes).toEqual(here(text).bytes)
	})
	await Promise.all(files)
})

test('what is wrong with a file is said as it is said here, and what its source throws comes through', async () => {
	const wrong = [lines(0, 10), Buffer.from('no number,"x"\n')]
	const error = await onThread(wrong, { name: 'data_07.csv' }).catch((reason: unknown) => reason)
	expect(isBackupError(error, 'FORMAT_INVALID') && error.message).toMatch(/^data_07\.csv:11: column "id"/)
	await expect(onThread([Buffer.from('1,"cut')])).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
	await expect(onThread([lines(0, 10)], { compression: 'zstd-1' })).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
	await expect(onThread([lines(0, 900)], { limits: { maxTotalBytes: 500 } })).rejects.toMatchObject({
		code: 'FORMAT_INVALID',
	})
	const gone = new BackupError('STORAGE_PERMANENT', 'the store is gone')
	async function* failing(): AsyncGenerator<Uint8Array> {
		yield lines(0, 100)
		throw gone
	}
	const reading = async (): Promise<void> => {
		for await (const _ of openParseThread().parse(job, failing())) continue
	}
	await expect(reading()).rejects.toBe(gone)
	expect((await onThread([lines(0, 7)])).rows).toBe(7)
})

test('no more is read ahead of a reader than the thread has room for, and a file that is left is closed', async () => {
	let given = 0
	let isClosed = false
	async function* stored(): AsyncGenerator<Uint8Array> {
		try {
			for (; given < 1000; given++) yield lines(given * 100, 100)
		} finally {
			isClosed = true
		}
	}
	for await (const _ of openParseThread().parse(job, stored())) {
		await new Promise((resolve) => setTimeout(resolve, 50))
		break
	}
	expect(given).toBeLessThan(20)
	expect(isClosed).toBe(true)
	expect((await onThread([lines(0, 7)])).rows).toBe(7)
})

test('a large data file that is parsed on the thread is held against its manifest', async () => {
	const text = lines(0, 250_000)
	expect(text.length).toBeGreaterThan(FOR_A_THREAD)
	const sha256 = createHash('sha256').update(text).digest('hex')
	const file = { key: 'backups/b/001/data_00.csv', size: text.length, plainSize: text.length, sha256, rows: 250_000 }
	const read = async (bytes: Buffer, more: Partial<typeof file> = {}): Promise<Rows> => {
		await using storage = openMemory()
		await storage.put(file.key, bytes)
		const chunks: RowChunk[] = []
		const meter = { add() {}, takeBack() {} }
		const parts = readPart({
			...{ storage, schema, meter, range: undefined, unseal: undefined, signal: undefined },
			...{ file: { ...file, ...more }, compression: 'none', onlyStored: true, onThread: true },
		})
		for await (const chunk of parts) chunks.push(chunk)
		return rowsOf(chunks)
	}
	expect((await read(text)).bytes).toEqual(here(text).bytes)
	const flipped = Buffer.from(text)
	flipped[text.length - 10]! ^= 1
	await expect(read(flipped)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' })
	await expect(read(text, { rows: 249_999 })).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' })
	await expect(read(text, { plainSize: text.length + 1 })).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' })
})
