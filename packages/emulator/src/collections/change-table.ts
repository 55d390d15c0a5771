import { create } from '@bufbuild/protobuf'
import { CreateTableRequestSchema } from '@ydbjs/api/table'
import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import { asOptional, Table } from '../scheme/table.ts'
import { cellsOf } from '../services/bulk-upsert.ts'
import type { Entry } from '../store/row-store.ts'
import { position, seek, varint } from '../wire/cursor.ts'
import { boolCell, bytesCell, cellsRow, isNullCell, NULL } from './cells.ts'
import { type Recorded, recorded } from './stream.ts'

const METADATA = '__ydb_incrBackupImpl_changeMetadata'
const DELETED = '__ydb_incrBackupImpl_deleted'
const STATES = '__ydb_incrBackupImpl_columnStates'

/** Forms of change tables: that of YDB 26.2, and those of the code before it. Source: backup-collections, section 1. */
export const GENERATIONS = [2, 1, 0] as const
export type Generation = (typeof GENERATIONS)[number]
const OWN: Readonly<Record<Generation, readonly [name: string, id: Id][]>> = {
	2: [[METADATA, Id.STRING]],
	1: [
		[DELETED, Id.BOOL],
		[STATES, Id.STRING],
	],
	0: [[DELETED, Id.BOOL]],
}

/** `TColumnState` of ydb/core/protos/datashard_backup.proto. */
interface State {
	readonly tag: number
	readonly isNull: boolean
	readonly isChanged: boolean
}

/** An empty change table for a table as it is now: all columns nullable, with the numbers that they have there. */
export function changeTableOf(table: Table, generation: Generation, step: number): Table {
	const columns = table.columns.map(({ name, type }) => ({ name, type: asOptional(type) }))
	const own = OWN[generation].map(([name, id]) => ({
		name,
		type: asOptional({ $typeName: 'Ydb.Type', type: { case: 'typeId', value: id } }),
	}))
	const attributes = { __incremental_backup: '{}' }
	const spec = create(CreateTableRequestSchema, {
		columns: [...columns, ...own],
		primaryKey: table.spec.primaryKey,
		attributes,
	})
	const made = new Table(spec, step, undefined, true)
	made.numberAs(table)
	made.readOnlyBecause = 'Table is read-only: it holds an incremental backup'
	return made
}

interface Row {
	readonly cells: Map<number, Buffer>
	isDeleted: boolean
	states: Map<number, State>
}

export interface WriteOptions {
	readonly generation: Generation
	/** What several changes of one row within an interval say becomes one; else the last one alone is said. */
	readonly merges: boolean
	/** Changes before that time are lost: milliseconds since 1970. */
	readonly since: number
}

/** The rows of a change table from a log of changes. Source: backup-collections, WRITER. */
export function changeRows(target: Table, log: Table, options: WriteOptions): Entry[] {
	const rows = new Map<string, { readonly key: Buffer; readonly row: Row }>()
	const own = new Set(OWN[options.generation].map(([name]) => name))
	const ids = target.columns.map(({ name }) => target.ids.get(name)!)
	const keys = target.key.map((at) => ids[at]!)
	const values = ids.filter((id, at) => !keys.includes(id) && !own.has(target.columns[at]!.name))
	for (const record of recorded(log)) {
		if (record.at < options.since) continue
		const id = record.key.toString('latin1')
		let found = rows.get(id)
		if (!found) {
			found = { key: Buffer.from(record.key), row: { cells: new Map(), isDeleted: false, states: new Map() } }
			rows.set(id, found)
		}
		upsert(found.row, record, values, options.merges)
	}
	return [...rows.values()]
		.toSorted((a, b) => a.key.compare(b.key))
		.map(({ key, row }) => {
			const cells = ids.slice(0, ids.length - own.size).map((id) => row.cells.get(id) ?? NULL)
			return { key, row: cellsRow([...cells, ...ownCells(row, options.generation)]) }
		})
}

function upsert(row: Row, { op, cells }: Recorded, values: readonly number[], merges: boolean): void {
	const wasDeleted = row.isDeleted
	const before = row.states
	for (const [id, cell] of cells) row.cells.set(id, cell)
	if (op === 'erase') for (const id of values) row.cells.set(id, NULL)
	row.isDeleted = op === 'erase'
	row.states = new Map(
		values.map((tag) => {
			const cell = cells.get(tag)
			if (cell && op !== 'erase') return [tag, { tag, isNull: isNullCell(cell), isChanged: true }]
			if (op !== 'update') return [tag, { tag, isNull: true, isChanged: true }]
			if (merges && wasDeleted) return [tag, { tag, isNull: true, isChanged: true }]
			return [tag, (merges && before.get(tag)) || { tag, isNull: false, isChanged: false }]
		}),
	)
}

function ownCells({ isDeleted, states }: Row, generation: Generation): Buffer[] {
	// The server takes them from a hash map: the order means nothing.
	const list = [...states.values()].reverse()
	if (generation === 0) return [boolCell(isDeleted)]
	const encoded = Buffer.concat(list.map(encodeState))
	if (generation === 1) return [boolCell(isDeleted), bytesCell(encoded)]
	return [bytesCell(Buffer.concat([encoded, Buffer.of(0x10, isDeleted ? 1 : 0)]))]
}

function encodeState({ tag, isNull, isChanged }: State): Buffer {
	const head: number[] = [0x08]
	for (let rest = tag; ; rest >>>= 7) {
		head.push(rest > 127 ? (rest & 127) | 128 : rest)
		if (rest <= 127) break
	}
	const body = Buffer.from([...head, 0x10, isNull ? 1 : 0, 0x18, isChanged ? 1 : 0])
	return Buffer.concat([Buffer.of(0x0a, body.length), body])
}

/** What a change table does to its table, row by row. Source: backup-collections, READER. */
export function applied(changes: Table, target: Table): Entry[] {
	const metadata = changes.columns.findIndex(({ name }) => name === METADATA)
	if (metadata < 0) throw new YdbError('GENERIC_ERROR', 'the change table has no column of metadata')
	const places = changes.columns.map(({ name }) => target.columns.findIndex((column) => column.name === name))
	const ids = changes.columns.map(({ name }) => changes.ids.get(name)!)
	const out: Entry[] = []
	for (const { key, row } of changes.rows.entries()) {
		const cells = cellsOf(row)!
		const { isDeleted, states } = decodeMetadata(cells[metadata]!)
		if (isDeleted) {
			out.push({ key, row: null })
			continue
		}
		const made = cellsOf(target.rows.get(key)) ?? target.columns.map(() => NULL)
		for (const [at, cell] of cells.entries()) {
			if (at === metadata) continue
			const place = places[at]!
			const isKey = changes.key.includes(at)
			const state = isKey ? undefined : states.get(ids[at]!)
			if (state && !state.isChanged) continue
			if (place < 0) throw new YdbError('GENERIC_ERROR', `the table has no column ${changes.columns[at]!.name}`)
			// A column that the metadata does not know is written as it is.
			made[place] = state?.isNull ? NULL : cell
		}
		out.push({ key, row: cellsRow(made) })
	}
	return out
}

function decodeMetadata(cell: Buffer): { readonly isDeleted: boolean; readonly states: ReadonlyMap<number, State> } {
	const states = new Map<number, State>()
	let isDeleted = false
	if (isNullCell(cell)) return { isDeleted, states }
	seek(1)
	varint(cell)
	seek(position + 1)
	const length = varint(cell)
	const bytes = cell.subarray(position, position + length)
	try {
		for (let at = 0; at < bytes.length;) {
			seek(at)
			const tag = varint(bytes)
			if (tag === 0x10) isDeleted = varint(bytes) !== 0
			else if (tag === 0x0a) {
				const size = varint(bytes)
				const from = position
				const state = { tag: 0, isNull: false, isChanged: false }
				for (let inside = from; inside < from + size; inside = position) {
					seek(inside)
					const inner = varint(bytes)
					const value = varint(bytes)
					if (inner === 0x08) state.tag = value
					else if (inner === 0x10) state.isNull = value !== 0
					else if (inner === 0x18) state.isChanged = value !== 0
				}
				states.set(state.tag, state)
			} else throw new YdbError('BAD_REQUEST', 'metadata that cannot be read')
			at = position
		}
	} catch {
		return { isDeleted: false, states: new Map() }
	}
	return { isDeleted, states }
}
