import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { setTimeout as sleep } from 'node:timers/promises'
import { type KeyRange, type ReadTableRequest, ReadTableResponseSchema } from '@ydbjs/api/table'
import { ColumnSchema, ResultSetSchema } from '@ydbjs/api/value'
import { GRPC, GrpcError, STATUS, YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import type { Table } from '../scheme/table.ts'
import type { Page, RowStore, StoreRange } from '../store/row-store.ts'
import type { Reply } from '../transport/grpc-server.ts'
import { putVarint, varintBytes } from '../wire/cursor.ts'
import { cellsOf, frameRow } from './bulk-upsert.ts'
import { merge, split } from './partitions.ts'

const DEFAULT_BATCH_BYTES = 1 << 20

/** A key range of the protocol as a range of stored keys. A shorter bound stands before every key that it begins. */
export function storeRange(table: Table, range: KeyRange | undefined): StoreRange {
	const { fromBound, toBound } = range ?? {}
	const after = (key: Buffer): Buffer => Buffer.concat([key, Buffer.from([0xff])])
	let from: Buffer | undefined
	let to: Buffer | undefined
	if (fromBound?.case) {
		from = table.boundKey(fromBound.value)
		// memcmp: no key continues a whole key, and no cell begins with 0xff, so one such byte stands behind all that begin like this.
		if (fromBound.case === 'greater') from = after(from)
	}
	if (toBound?.case) {
		to = table.boundKey(toBound.value)
		if (toBound.case === 'lessOrEqual') to = after(to)
	}
	return { from, to }
}

/** What lies in both ranges. */
function intersect(a: StoreRange, b: StoreRange): StoreRange {
	const from = !a.from ? b.from : !b.from ? a.from : a.from.compare(b.from) >= 0 ? a.from : b.from
	const to = !a.to ? b.to : !b.to ? a.to : a.to.compare(b.to) <= 0 ? a.to : b.to
	return { from, to }
}

interface PartitionPage extends Page {
	readonly partition: number
}

function* pagesIn(rows: RowStore, range: StoreRange, partition: number, most: number): Generator<PartitionPage> {
	for (const page of rows.scan(range)) {
		for (let done = 0; done < page.count; done += most) {
			const count = Math.min(most, page.count - done)
			const first = page.first + done
			const base = done === 0 ? page.base : page.ends[first - 1]!
			const end = page.ends[first + count - 1]!
			yield {
				rows: page.rows.subarray(base - page.base, end - page.base),
				count,
				ends: page.ends,
				first,
				base,
				partition,
			}
		}
	}
}

/**
 * Pages of all partitions of a range: in key order, or taken from the partitions in turn, as an unordered read does. The partitions are those of
 * the moment in which the first page is taken.
 */
export function* pagesOf(
	{ splits }: Pick<Table, 'splits'>,
	range: StoreRange,
	ordered: boolean,
	rows: RowStore,
	mostRows: number = Number.POSITIVE_INFINITY,
): Generator<PartitionPage> {
	const scans = [undefined, ...splits].map((from, at) =>
		pagesIn(rows, intersect(range, { from, to: splits[at] }), at, ordered ? Number.POSITIVE_INFINITY : mostRows),
	)
	if (ordered) {
		for (const scan of scans) yield* scan
		return
	}
	while (scans.length > 0) {
		for (let at = scans.length - 1; at >= 0; at--) {
			const next = scans[at]!.next()
			if (next.done) scans.splice(at, 1)
			else yield next.value
		}
	}
}

/** Cuts a page into pieces of at most that many rows and (unless a single row is larger) bytes. */
function* pieces(page: Page, maxRows: number, maxBytes: number): Generator<{ rows: Buffer; count: number }> {
	if (page.count <= maxRows && page.rows.length <= maxBytes) {
		yield page
		return
	}
	let from = 0
	let rows = 0
	for (let at = 0; at < page.count; at++) {
		const end = page.ends[page.first + at]! - page.base
		const next = at + 1 < page.count ? page.ends[page.first + at + 1]! - page.base : Number.POSITIVE_INFINITY
		rows++
		if (rows < maxRows && next - from <= maxBytes) continue
		yield { rows: page.rows.subarray(from, end), count: rows }
		from = end
		rows = 0
	}
}

function project(rows: Buffer, positions: readonly number[]): Buffer {
	const out: Buffer[] = []
	let at = 0
	while (at < rows.length) {
		let length = 0
		let factor = 1
		let p = at + 1
		for (;;) {
			const byte = rows[p++]!
			length += (byte & 127) * factor
			factor *= 128
			if (byte < 128) break
		}
		const end = p + length
		const cells = cellsOf(rows.subarray(at, end))!
		out.push(frameRow(positions.map((position) => cells[position]!)))
		at = end
	}
	return Buffer.concat(out)
}

/** Streams a table's rows as StreamReadTable does. */
export async function readTable(table: Table, request: ReadTableRequest, faults: Faults, reply: Reply): Promise<void> {
	if (table.refusesStreams) throw new YdbError('SCHEME_ERROR', 'Got ResolveError response from TxProxy')
	const names = request.columns.length > 0 ? request.columns : table.columns.map(({ name }) => name)
	const positions = names.map((name) => {
		const at = table.columns.findIndex((column) => column.name === name)
		if (at < 0) throw new YdbError('SCHEME_ERROR', `Unknown column '${name}'`)
		return at
	})
	const asStored = positions.length === table.columns.length && positions.every((position, at) => position === at)
	const columns = names.map((name, at) =>
		create(ColumnSchema, { name, type: table.columnMetas()[positions[at]!]!.type! }),
	)
	const header = toBinary(ResultSetSchema, create(ResultSetSchema, { columns }))
	const range = storeRange(table, request.keyRange)
	const maxBytes = Number(request.batchLimitBytes) || DEFAULT_BATCH_BYTES
	const maxRows = Math.min(
		Number(request.batchLimitRows) || Number.POSITIVE_INFINITY,
		faults.readChunkRows ?? Number.POSITIVE_INFINITY,
	)
	let left = Number(request.rowLimit) || Number.POSITIVE_INFINITY
	let sent = 0
	let batch: Buffer[] = []
	let batchBytes = 0
	let batchRows = 0
	/** Rows that count for a break. */
	let counted = 0
	/** Rows of all partitions. */
	let all = 0
	let sinceSplit = 0
	let splits = true
	let partition = 0

	const flush = async (): Promise<void> => {
		if (faults.delayReadMs > 0) await sleep(faults.delayReadMs)
		if (partition === faults.slowPartition) await sleep(faults.slowPartitionMs)
		const setBytes = header.length + batchBytes
		const resultBytes = 1 + varintBytes(setBytes) + setBytes
		const head = Buffer.allocUnsafe(header.length + 32)
		let at = 0
		head[at++] = 0x08
		at = putVarint(head, at, STATUS.SUCCESS)
		head[at++] = 0x1a
		at = putVarint(head, at, resultBytes)
		head[at++] = 0x0a
		at = putVarint(head, at, setBytes)
		at += Buffer.from(header).copy(head, at)
		await reply.send(head.subarray(0, at), batch)
		sent += batchRows
		batch = []
		batchBytes = 0
		batchRows = 0
	}

	const stopAfter = (rows: number | undefined): number => (rows === undefined ? Number.POSITIVE_INFINITY : rows)
	const breaks = faults.breakReadTimes > 0 ? stopAfter(faults.breakReadAfterRows) : Number.POSITIVE_INFINITY
	const lies = stopAfter(faults.endReadEarlyAfterRows)
	const limit = Math.min(breaks, lies)
	for (const page of pagesOf(
		table,
		range,
		request.ordered,
		table.rows.snapshot(),
		faults.interleaveRows || undefined,
	)) {
		if (page.partition !== partition && faults.slowPartition !== undefined && batchRows > 0) await flush()
		;({ partition } = page)
		const counts = faults.breakReadInPartition === undefined || faults.breakReadInPartition === partition
		for (const piece of pieces(page, Math.min(maxRows, left, limit === 0 ? 1 : limit), maxBytes)) {
			if (batchRows > 0 && (batchBytes + piece.rows.length > maxBytes || batchRows + piece.count > maxRows))
				await flush()
			const isBroken = counts && counted + piece.count > breaks
			const isCutShort = all + piece.count > lies
			if (isBroken || isCutShort) {
				if (batchRows > 0) await flush()
				if (isCutShort && (!isBroken || breaks > lies)) return
				faults.breakReadTimes--
				throw new GrpcError(GRPC.UNAVAILABLE, 'the stream broke (a fault that was asked for)')
			}
			if (piece.count > left) {
				const [cut] = pieces(
					{ rows: piece.rows, count: piece.count, ends: endsOf(piece.rows), first: 0, base: 0 },
					left,
					Number.POSITIVE_INFINITY,
				)
				push(cut!)
			} else push(piece)
			all += piece.count
			if (counts) counted += piece.count
			sinceSplit += piece.count
			if (faults.splitEveryRows !== undefined && sinceSplit >= faults.splitEveryRows) {
				sinceSplit = 0
				if (splits) split(table, 0)
				else merge(table, 0)
				splits = !splits
			}
			if (left === 0) break
			if (faults.emptyMessages && batchRows % 3 === 0) {
				await flush()
				await flush()
			}
		}
		if (left === 0) break
	}
	if (batchRows > 0 || sent === 0) await flush()

	function push(piece: { rows: Buffer; count: number }): void {
		const rows = asStored ? piece.rows : project(piece.rows, positions)
		batch.push(rows)
		batchBytes += rows.length
		batchRows += piece.count
		left -= piece.count
	}
}

function endsOf(rows: Buffer): Uint32Array {
	const ends: number[] = []
	let at = 0
	while (at < rows.length) {
		let length = 0
		let factor = 1
		at++
		for (;;) {
			const byte = rows[at++]!
			length += (byte & 127) * factor
			factor *= 128
			if (byte < 128) break
		}
		at += length
		ends.push(at)
	}
	return Uint32Array.from(ends)
}

/** An error of a stream: a flat message with status and issues. */
export async function sendReadError(error: YdbError, reply: Reply): Promise<void> {
	const init = { status: STATUS[error.status], issues: error.issues() } as MessageInitShape<
		typeof ReadTableResponseSchema
	>
	await reply.send(toBinary(ReadTableResponseSchema, create(ReadTableResponseSchema, init)))
}
