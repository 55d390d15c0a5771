import { create } from '@bufbuild/protobuf'
import { CreateTableRequestSchema } from '@ydbjs/api/table'
import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { IndexTable } from '../scheme/index-table.ts'
import { Table } from '../scheme/table.ts'
import { cellsOf } from '../services/bulk-upsert.ts'
import type { Entry, RowStore } from '../store/row-store.ts'
import type { Effect } from '../store/transaction.ts'
import { position, seek, varint } from '../wire/cursor.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'
import { bytesCell, cellsRow, uint64Cell } from './cells.ts'

export type Operation = 'update' | 'reset' | 'erase'
const OPERATIONS: readonly Operation[] = ['update', 'reset', 'erase']

/** Rows that a statement writes. `columns` are positions of those that it gives; all of them when absent. */
export interface Changed {
	readonly entries: readonly Entry[]
	readonly op: Operation
	readonly columns?: readonly number[]
	/** Of an erasure: rows with the cells of the keys, one for each entry. */
	readonly erased?: readonly Buffer[]
}

/**
 * The changes of a table since a moment, in their order, for the next increment of a collection: a CDC stream of mode Update and format Proto.
 * The log is a table of its own, so that the data directory keeps it as it keeps all tables. Source: backup-collections, FULL-OP.
 */
export interface Stream {
	readonly name: string
	readonly log: Table
	/** Changes of the tables behind indexes, by the names of the indexes. */
	readonly indexes: ReadonlyMap<string, Table>
	/** Whether it still collects. */
	isOpen: boolean
}

/** One change: the cells that it gives, framed, by the numbers of their columns; those of the key always. */
export interface Recorded {
	readonly op: Operation
	/** Milliseconds since 1970. */
	readonly at: number
	readonly key: Buffer
	readonly cells: ReadonlyMap<number, Buffer>
}

function newLog(step: number): Table {
	const column = (name: string, id: Id) => ({
		name,
		type: { type: { case: 'typeId' as const, value: id } },
		notNull: true,
	})
	const columns = [
		column('n', Id.UINT64),
		column('at', Id.UINT64),
		column('op', Id.UINT64),
		column('key', Id.STRING),
		column('ids', Id.STRING),
		column('cells', Id.STRING),
	]
	return new Table(create(CreateTableRequestSchema, { columns, primaryKey: ['n'] }), step)
}

export function newStream(name: string, step: number, indexes: readonly string[]): Stream {
	const logs = new Map(indexes.map((index) => [index, newLog(step)]))
	return { name, log: newLog(step), indexes: logs, isOpen: true }
}

/** The stream that the next increment of any collection takes: the last one by name that collects. */
export function lastStream(table: Table): Stream | undefined {
	return [...table.streams.values()]
		.filter(({ isOpen }) => isOpen)
		.toSorted((a, b) => (a.name < b.name ? -1 : 1))
		.at(-1)
}

/** Keeps what a commit changes, in every stream of the table that collects. Called before the rows change. */
export function logChanges(
	table: Table,
	path: string,
	before: RowStore,
	changes: readonly Changed[],
	at: number,
): Effect[] {
	const open = [...table.streams.values()].filter(({ isOpen }) => isOpen)
	if (open.length === 0) return []
	const base = before.snapshot()
	const own = changes.flatMap((change) => recordsOf(table, change, at))
	return open.flatMap(({ name, log, indexes }) => [
		append(log, `${path}/${name}/streamImpl`, own),
		...[...indexes].flatMap(([index, ofIndex]) => {
			const spec = table.spec.indexes.find((each) => each.name === index)
			if (!spec) return []
			const records = indexRecords(new IndexTable(table, spec), base, changes, at)
			return [append(ofIndex, `${path}/${name}/${index}`, records)]
		}),
	])
}

function append(log: Table, path: string, records: readonly Recorded[]): Effect {
	const first = log.rows.count
	const entries = records.map((record, at) => entryOf(record, first + at))
	log.rows.apply(entries)
	return { path, writes: [entries] }
}

function entryOf({ op, at, key, cells }: Recorded, n: number): Entry {
	const number = uint64Cell(BigInt(n))
	const ids = Buffer.alloc(cells.size * 4)
	;[...cells.keys()].forEach((id, place) => ids.writeUInt32LE(id, place * 4))
	const row = cellsRow([
		number,
		uint64Cell(BigInt(at)),
		uint64Cell(BigInt(OPERATIONS.indexOf(op))),
		bytesCell(key),
		bytesCell(ids),
		bytesCell(Buffer.concat([...cells.values()])),
	])
	startKey()
	addKeyCell(number, 2, number.length, N_TYPE, 'n')
	return { key: finishKey(), row }
}

const N_TYPE = newLog(0).columns[0]!.cell

function recordsOf(table: Table, { entries, op, columns, erased }: Changed, at: number): Recorded[] {
	const ids = table.columns.map(({ name }) => table.ids.get(name)!)
	const given = new Set(op === 'erase' ? table.key : [...table.key, ...(columns ?? table.columns.keys())])
	return entries.map(({ key, row }, place): Recorded => {
		const cells = cellsOf(row ?? erased![place])!
		return { op, at, key, cells: new Map([...given].map((column) => [ids[column]!, cells[column]!])) }
	})
}

/** What the changes of a table are for one of its indexes. */
function indexRecords(index: IndexTable, base: RowStore, changes: readonly Changed[], at: number): Recorded[] {
	const now = new Map<string, Buffer | null>()
	const out: Recorded[] = []
	for (const { entries } of changes)
		for (const { key, row } of entries) {
			const id = key.toString('latin1')
			const old = now.has(id) ? now.get(id) : base.get(key)
			const from = old ? index.entryOf(old) : undefined
			const to = row ? index.entryOf(row) : undefined
			now.set(id, row)
			if (from && !(to && from.key.equals(to.key)))
				out.push(...recordsOf(index, { op: 'erase', entries: [{ key: from.key, row: null }], erased: [from.row] }, at))
			if (to && !from?.row.equals(to.row))
				out.push(...recordsOf(index, { op: 'update', entries: [{ key: to.key, row: to.row }] }, at))
		}
	return out
}

/** The changes of a log, in their order. */
export function* recorded(log: Table): Generator<Recorded> {
	for (const { row } of log.rows.entries()) {
		const [, at, op, key, ids, cells] = cellsOf(row)!.map(payloadOf)
		const numbers = Array.from({ length: ids!.length / 4 }, (_, place) => ids!.readUInt32LE(place * 4))
		const framed = splitCells(cells!)
		yield {
			at: Number(at!.readBigUInt64LE()),
			op: OPERATIONS[Number(op!.readBigUInt64LE())]!,
			key: key!,
			cells: new Map(numbers.map((id, place) => [id, framed[place]!])),
		}
	}
}

/** The bytes of a fixed number or of a string. */
function payloadOf(cell: Buffer): Buffer {
	seek(1)
	varint(cell)
	const tag = cell[position]!
	if (tag !== 0x42) return cell.subarray(position + 1)
	seek(position + 1)
	const length = varint(cell)
	return cell.subarray(position, position + length)
}

function splitCells(bytes: Buffer): Buffer[] {
	const out: Buffer[] = []
	for (let at = 0; at < bytes.length;) {
		seek(at + 1)
		const length = varint(bytes)
		const end = position + length
		out.push(bytes.subarray(at, end))
		at = end
	}
	return out
}
