import { compressFrame, createCsvEncoder, createCsvParser, createSha256, decompress } from '@ydbackup/format'
import { RowHash } from '@ydbackup/rows'
import { type Cost, measure } from './measure.ts'
import type { FilledTable } from './tables.ts'

/** CPU seconds of each step alone, over the same rows, and how many bytes they went through. */
export interface KernelCosts {
	readonly rowBytes: number
	readonly csvBytes: number
	readonly encode: number
	readonly zstd: number
	readonly sha256: number
	readonly unzstd: number
	readonly parse: number
	readonly rowHash: number
}

async function* pieces(buffer: Uint8Array): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < buffer.length; at += 256 << 10) yield buffer.subarray(at, at + (256 << 10))
}

/** Measures the steps one by one: nothing else runs in this process meanwhile. */
export async function measureKernels(tables: readonly FilledTable[]): Promise<KernelCosts> {
	const sum = { rowBytes: 0, csvBytes: 0, encode: 0, zstd: 0, sha256: 0, unzstd: 0, parse: 0, rowHash: 0 }
	const add = (name: 'encode' | 'zstd' | 'sha256' | 'unzstd' | 'parse' | 'rowHash', cost: Cost): void => {
		sum[name] += cost.cpu
	}
	for (const round of ['warm-up', 'measured']) {
		if (round === 'measured') for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] = 0
		for (const { schema, chunks } of tables) {
			const rows = [...chunks()]
			for (const { bytes } of rows) sum.rowBytes += bytes.length
			const frames: Uint8Array[] = []
			add(
				'encode',
				await measure(() => {
					const encoder = createCsvEncoder(schema)
					for (const chunk of rows) frames.push(...encoder.push(chunk))
					const last = encoder.end()
					if (last) frames.push(last)
				}),
			)
			for (const frame of frames) sum.csvBytes += frame.length
			const packed: Uint8Array[] = []
			add(
				'zstd',
				await measure(async () => {
					for (const frame of frames) packed.push(await compressFrame(frame, 'zstd-1'))
				}),
			)
			add(
				'sha256',
				await measure(() => {
					const hash = createSha256()
					for (const frame of frames) hash.update(frame)
					hash.hex()
				}),
			)
			const stored = Buffer.concat(packed)
			add(
				'unzstd',
				await measure(async () => {
					for await (const piece of decompress(pieces(stored), 'zstd-1')) void piece
				}),
			)
			// A piece is valid until the next one is asked for.
			const plain: Uint8Array[] = []
			for await (const piece of decompress(pieces(stored), 'zstd-1')) plain.push(Uint8Array.from(piece))
			let parsed = 0
			add(
				'parse',
				await measure(() => {
					const parser = createCsvParser(schema, { file: 'benchmark' })
					for (const piece of plain) for (const chunk of parser.push(piece)) parsed += chunk.rows
					for (const chunk of parser.end()) parsed += chunk.rows
				}),
			)
			if (parsed !== rows.reduce((total, chunk) => total + chunk.rows, 0))
				throw new Error('rows were lost in the benchmark')
			add(
				'rowHash',
				await measure(() => {
					const hash = new RowHash(schema)
					for (const chunk of rows) hash.add(chunk)
				}),
			)
		}
	}
	return sum
}
