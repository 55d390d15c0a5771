import {
	BackupError,
	type CollectionContents,
	type CollectionLink,
	type CollectionSource,
	type KeyRange,
	type LiveObject,
	type RowChunk,
	type SchemeObject,
	type SnapshotTable,
	type SourceObject,
	type TableSchema,
} from '@ydbackup/core'
import { changes as changeFormat, parseProtoText, tableSchemaOf } from '@ydbackup/format'
import {
	concatBytes,
	createKeyComparator,
	createKeyReader,
	keyTypes,
	lengthDelimited,
	TAG_ITEMS,
	valueFromText,
} from '@ydbackup/rows'

import { FakeDatabase } from './fake-database.ts'
import { chunkOf, permissionsOf } from './row-bytes.ts'

/** A value as protobuf text: `uint64_value: 5`. */
export type Cell = string
export const NULL = 'null_flag_value: NULL_VALUE'

export interface FakeColumn {
	readonly name: string
	/** `UINT64`; nullable unless `isRequired`. */
	readonly type: string
	readonly isRequired?: boolean
	/** Text of more fields of the column. */
	readonly more?: string
}

type Values = Readonly<Record<string, Cell>>
interface Recorded {
	readonly key: Values
	/** Cells as they lie in the change table. */
	readonly cells: Map<string, Cell>
	isDeleted: boolean
	/** Columns whose state says changed. */
	changed: Set<string>
}

class FakeTable {
	columns: FakeColumn[]
	readonly ids = new Map<string, number>()
	readonly key: readonly string[]
	readonly rows = new Map<string, Map<string, Cell>>()
	log = new Map<string, Recorded>()
	#nextId = 1

	constructor(columns: readonly FakeColumn[], key: readonly string[]) {
		this.columns = []
		this.key = key
		for (const column of columns) this.add(column)
	}

	add(column: FakeColumn): void {
		this.columns.push(column)
		this.ids.set(column.name, this.#nextId++)
	}

	drop(name: string): void {
		this.columns = this.columns.filter((column) => column.name !== name)
		this.ids.delete(name)
		for (const row of this.rows.values()) row.delete(name)
		// What was recorded of it is not in a change table that is made now.
		for (const recorded of this.log.values()) {
			recorded.cells.delete(name)
			recorded.changed.delete(name)
		}
	}

	get values(): string[] {
		return this.columns.map(({ name }) => name).filter((name) => !this.key.includes(name))
	}
}

interface FakeLink {
	readonly link: CollectionLink
	progress: 'complete' | 'running' | 'failed'
	readonly tables: Map<string, { table: SnapshotTable; frames: Uint8Array[] }>
	/** By their paths below the directory. */
	readonly ofIndexes: FakeLink['tables']
}

/** The rows of every table, as bytes in key order. */
export type Truth = Record<string, string[]>

/** A backup collection over tables that keep a log of their changes, as the server's change feeds do. */
export class FakeCollection implements CollectionSource {
	readonly name: string
	readonly database = '/local'
	readonly tables: Map<string, FakeTable> = new Map<string, FakeTable>()
	readonly made: FakeLink[] = []
	readonly calls: string[] = []
	/** What is in the database beside the tables, and what hangs on them. */
	readonly around: FakeDatabase = new FakeDatabase('/local')
	/** Whether two changes of one row within an interval become one; a server that does not do so loses what the first one said. */
	merges = true
	/** The server's clock. */
	time: Date = new Date(Date.UTC(2026, 10, 23, 12))
	chunkRows = 20
	#second = 0

	constructor(name = 'nightly') {
		this.name = name
	}

	createTable(path: string, columns: readonly FakeColumn[], key: readonly string[]): FakeTable {
		const table = new FakeTable(columns, key)
		this.tables.set(path, table)
		return table
	}

	/** UPSERT when the row may be there already, or REPLACE. */
	write(op: 'upsert' | 'replace', path: string, values: Values): void {
		const table = this.tables.get(path)!
		const id = this.#idOf(table, values)
		const named = table.values.filter((name) => values[name] !== undefined)
		const old = op === 'upsert' ? table.rows.get(id) : undefined
		const row = new Map(old ?? table.key.map((name) => [name, values[name]!]))
		for (const name of named) row.set(name, values[name]!)
		table.rows.set(id, row)

		const recorded = this.#recorded(table, id, values)
		for (const name of named) recorded.cells.set(name, values[name]!)
		const changed = op === 'replace' || (this.merges && recorded.isDeleted) ? table.values : named
		recorded.changed = new Set(this.merges ? [...recorded.changed, ...changed] : changed)
		if (op === 'replace') for (const name of table.values) if (!named.includes(name)) recorded.cells.set(name, NULL)
		recorded.isDeleted = false
	}

	erase(path: string, values: Values): void {
		const table = this.tables.get(path)!
		const id = this.#idOf(table, values)
		table.rows.delete(id)
		const recorded = this.#recorded(table, id, values)
		for (const name of table.values) recorded.cells.set(name, NULL)
		recorded.changed = new Set(table.values)
		recorded.isDeleted = true
	}

	#idOf(table: FakeTable, values: Values): string {
		return table.key.map((name) => values[name] ?? NULL).join('|')
	}

	#recorded(table: FakeTable, id: string, values: Values): Recorded {
		let found = table.log.get(id)
		if (found === undefined) {
			const key = Object.fromEntries(table.key.map((name) => [name, values[name] ?? NULL]))
			table.log.set(id, (found = { key, cells: new Map(), isDeleted: false, changed: new Set() }))
		}
		return found
	}

	/** `stamped` is what the server's clock says, `at` when it is: seconds both. */
	backup(kind: 'full' | 'incremental', at: number = this.#second++ * 3600, stamped: number = at): FakeLink {
		const time = new Date(Date.UTC(2026, 10, 23) + at * 1000)
		const clock = new Date(Date.UTC(2026, 10, 23) + stamped * 1000)
		const stamp = clock.toISOString().slice(0, 19).replaceAll(/[-:T]/gu, '')
		const link: CollectionLink = {
			name: `${stamp}Z_${kind}`,
			kind,
			after: time.toISOString(),
			before: new Date(time.getTime() + 1000).toISOString(),
			clock: 'server',
		}
		const tables: FakeLink['tables'] = new Map()
		for (const [path, table] of this.tables) {
			tables.set(path, kind === 'full' ? this.#copy(path, table) : this.#changeTable(path, table))
			table.log = new Map()
		}
		const made: FakeLink = { link, progress: 'complete', tables, ofIndexes: new Map() }
		this.made.push(made)
		return made
	}

	#copy(path: string, table: FakeTable): { table: SnapshotTable; frames: Uint8Array[] } {
		const described = this.#describe(path, table.columns, table.key)
		return { table: described, frames: this.#frames(table, described.schema) }
	}

	#frames(table: FakeTable, schema: TableSchema): Uint8Array[] {
		const rows = [...table.rows.values()].map((row) => frameOf(table.columns.map(({ name }) => row.get(name) ?? NULL)))
		return inKeyOrder(rows, schema)
	}

	#changeTable(path: string, table: FakeTable): { table: SnapshotTable; frames: Uint8Array[] } {
		const { METADATA_COLUMN } = changeFormat
		const columns = [
			...table.columns.map(({ name, type }) => ({ name, type })),
			{ name: METADATA_COLUMN, type: 'STRING' },
		]
		const described = this.#describe(path, columns, table.key)
		const frames = [...table.log.values()].map(({ key, cells, isDeleted, changed }) => {
			const states = table.values.toReversed().map((name) => {
				const isChanged = changed.has(name)
				const isNull = isChanged && (isDeleted || (cells.get(name) ?? NULL) === NULL)
				return { tag: table.ids.get(name)!, isNull, isChanged }
			})
			const metadata = changeFormat.writeChangeMetadata({ isDeleted, states })
			const values = table.columns.map(({ name }) => valueOf(key[name] ?? cells.get(name) ?? NULL))
			return frameOfValues([...values, lengthDelimited(0x42, metadata)])
		})
		return { table: described, frames: inKeyOrder(frames, described.schema) }
	}

	#describe(path: string, columns: readonly FakeColumn[], key: readonly string[], more = ''): SnapshotTable {
		const texts = columns.map(({ name, type, isRequired, more: field = '' }) => {
			const bare = type.startsWith('decimal') ? `${type}` : `type_id: ${type}`
			return `columns { name: "${name}" type { ${isRequired ? bare : `optional_type { item { ${bare} } }`} } ${isRequired ? 'not_null: true' : ''} ${field} }`
		})
		const text = `${texts.join('\n')}\n${key.map((name) => `primary_key: "${name}"`).join('\n')}\n${more}`
		const scheme = parseProtoText(text, 'a scheme')
		return { path, scheme, schema: tableSchemaOf(scheme, path), ranges: [{}] }
	}

	truth(): Truth {
		return Object.fromEntries(
			[...this.tables].map(([path, table]) => {
				const { schema } = this.#describe(path, table.columns, table.key)
				return [path, this.#frames(table, schema).map((frame) => Buffer.from(frame).toString('hex'))]
			}),
		)
	}

	async now(): Promise<Date> {
		return this.time
	}

	links(): Promise<CollectionLink[]> {
		this.calls.push('links')
		return Promise.resolve(this.made.map(({ link }) => link))
	}

	progress({ name }: CollectionLink): Promise<FakeLink['progress']> {
		return Promise.resolve(this.#link(name).progress)
	}

	contents({ name }: CollectionLink): Promise<CollectionContents> {
		this.calls.push(`contents ${name}`)
		const { tables, ofIndexes } = this.#link(name)
		const described = (all: FakeLink['tables']): SnapshotTable[] =>
			[...all].map(([path, { table }]) => ({ ...table, path }))
		return Promise.resolve({ tables: described(tables), indexChanges: described(ofIndexes) })
	}

	async *read({ name }: CollectionLink, { path, schema }: SnapshotTable, _range: KeyRange): AsyncGenerator<RowChunk> {
		const { frames } = this.#tableOf(name, path)
		for (let at = 0; at < frames.length; at += this.chunkRows) {
			await Promise.resolve()
			yield chunkOf(frames.slice(at, at + this.chunkRows), schema)
		}
	}

	countRows({ name }: CollectionLink, { path }: SnapshotTable): Promise<bigint> {
		return Promise.resolve(BigInt(this.#tableOf(name, path).frames.length))
	}

	storedBytes({ name }: CollectionLink, { path }: SnapshotTable): Promise<bigint> {
		return Promise.resolve(BigInt(this.#tableOf(name, path).frames.reduce((sum, { length }) => sum + length, 0)))
	}

	live(path: string): Promise<LiveObject | undefined> {
		const table = this.tables.get(path)
		if (table !== undefined) {
			const described = this.#describe(path, table.columns, table.key)
			return Promise.resolve({ permissions: permissionsOf('alice', 'bob'), table: described })
		}
		const isAbove = [...this.tables.keys()].some((other) => other.startsWith(`${path}/`))
		return Promise.resolve(isAbove ? { permissions: permissionsOf('root'), table: undefined } : undefined)
	}

	list(): AsyncIterable<SourceObject> {
		return this.around.list()
	}

	describe(object: Pick<SchemeObject, 'path' | 'kind'>): Promise<SchemeObject> {
		const isBare = this.tables.has(object.path) && !this.around.nodes.has(object.path)
		return isBare
			? Promise.resolve({ ...object, definition: undefined, parts: [], lacking: [] })
			: this.around.describe(object)
	}

	drop({ name }: CollectionLink): Promise<void> {
		this.calls.push(`drop ${name}`)
		const at = this.made.findIndex(({ link }) => link.name === name)
		if (at >= 0) this.made.splice(at, 1)
		return Promise.resolve()
	}

	#tableOf(name: string, path: string): { table: SnapshotTable; frames: Uint8Array[] } {
		const { tables, ofIndexes } = this.#link(name)
		return (tables.get(path) ?? ofIndexes.get(path))!
	}

	#link(name: string): FakeLink {
		const found = this.made.find(({ link }) => link.name === name)
		if (found === undefined) throw new BackupError('PATH_NOT_FOUND', `${name} is not there`)
		return found
	}
}

const valueOf = (cell: Cell): Uint8Array => valueFromText(parseProtoText(cell, 'a cell'))
const frameOf = (cells: readonly Cell[]): Uint8Array => frameOfValues(cells.map(valueOf))

function frameOfValues(values: readonly Uint8Array[]): Uint8Array {
	return lengthDelimited(TAG_ITEMS, concatBytes(values.map((value) => lengthDelimited(TAG_ITEMS, value))))
}

function inKeyOrder(frames: readonly Uint8Array[], schema: TableSchema): Uint8Array[] {
	const compare = createKeyComparator(keyTypes(schema))
	createKeyReader(schema)
	const keyed = frames.map((frame) => ({ frame, key: chunkOf([frame], schema).firstKey }))
	return keyed.toSorted((a, b) => compare(a.key, b.key)).map(({ frame }) => frame)
}
