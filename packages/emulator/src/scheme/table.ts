import { clone, create, toBinary } from '@bufbuild/protobuf'
import {
	type Changefeed,
	type ColumnMeta,
	ColumnMetaSchema,
	type CreateTableRequest,
	CreateTableRequestSchema,
	StoreType,
	type TableIndex,
} from '@ydbjs/api/table'
import {
	TupleTypeSchema,
	type TypedValue,
	TypedValueSchema,
	TypeSchema,
	OptionalTypeSchema,
	type Type,
	type Value,
	ValueSchema,
} from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Stream } from '../collections/stream.ts'
import { isNewerIndex } from './newer-index.ts'
import type { Contents } from './objects.ts'
import { Sequence } from './sequence.ts'
import { RowStore } from '../store/row-store.ts'
import { type ColumnType, columnType, isOptional } from '../wire/column-type.ts'
import { fields, putVarint, varintBytes } from '../wire/cursor.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'

export interface Column {
	readonly name: string
	/** As declared: Optional for a nullable column. */
	readonly type: Type
	readonly cell: ColumnType
	readonly notNull: boolean
	/** What it holds when nothing is written to it, framed as a row has it. */
	readonly otherwise: (() => Uint8Array) | undefined
}

/** A changefeed and the topic that it writes to. */
export interface Feed {
	readonly changefeed: Changefeed
	readonly topic: Contents['topic']
}

export interface Numbering {
	readonly ids: ReadonlyMap<string, number>
	readonly next: number
}

/** A nullable column of that type. */
export const asOptional = (type: Type): Type =>
	isOptional(type)
		? type
		: create(TypeSchema, { type: { case: 'optionalType', value: create(OptionalTypeSchema, { item: type }) } })

/** A row table: what was asked for when it was created, and its rows. */
export class Table {
	/** As a CreateTableRequest without path; alterations change it. */
	readonly spec: CreateTableRequest
	readonly createdAt: number
	#rows: RowStore
	/** By the name of the column. */
	readonly sequences: Map<string, Sequence> = new Map()
	readonly changefeeds: Map<string, Feed> = new Map()
	/** Changes that are collected for increments of backup collections, by the names of their streams. */
	readonly streams: Map<string, Stream> = new Map()
	/** Numbers of the columns, in the order in which they came: one that was dropped leaves a gap. */
	ids: Map<string, number> = new Map()
	#nextId = 1
	/** Why users may not write to it although it is a table as any other. */
	readOnlyBecause: string | undefined
	/** Rises with every alteration. */
	schemaVersion = 0
	columns: readonly Column[] = []
	/** Positions of the key columns. */
	key: readonly number[] = []
	/** First keys of the partitions after the first, encoded. */
	splits: readonly Buffer[] = []
	splitPoints: readonly TypedValue[] = []

	/** Whether columns may have names of the server's own (`__ydb_…`), as below `.backups/collections`. */
	readonly mayHaveOwnColumns: boolean

	constructor(spec: CreateTableRequest, createdAt: number, rows: RowStore = new RowStore(), mayHaveOwnColumns = false) {
		this.mayHaveOwnColumns = mayHaveOwnColumns
		this.spec = spec
		this.createdAt = createdAt
		this.#rows = rows
		this.#derive()
	}

	get rows(): RowStore {
		return this.#rows
	}

	set rows(rows: RowStore) {
		this.#rows = rows
	}

	/** Why no statement may write to it, if none may. */
	get refusesWrites(): string | undefined {
		return undefined
	}

	get isColumnTable(): boolean {
		return this.spec.storeType === StoreType.COLUMN
	}

	/** Whether its rows come by queries only. */
	get refusesStreams(): boolean {
		return this.isColumnTable
	}

	/** Whether rows of the one are rows of the other. */
	sameColumns(other: Table): boolean {
		const shape = ({ columns, spec }: Table): string =>
			JSON.stringify([columns.map(({ name, cell, notNull }) => [name, cell.name, notNull]), spec.primaryKey])
		return shape(this) === shape(other)
	}

	#derive(): void {
		const { spec } = this
		if (spec.temporary) throw new YdbError('UNSUPPORTED', 'temporary tables are not emulated')
		if (spec.columns.length === 0) throw new YdbError('SCHEME_ERROR', 'At least one column is needed')
		if (spec.primaryKey.length === 0)
			throw new YdbError('SCHEME_ERROR', 'At least one primary key column should be specified')
		const names = new Set<string>()
		this.columns = spec.columns.map((meta) => {
			if (!/^[A-Za-z0-9_.-]+$/.test(meta.name) || (meta.name.startsWith('__ydb_') && !this.mayHaveOwnColumns))
				throw new YdbError('SCHEME_ERROR', `Invalid name for column '${meta.name}'`)
			if (names.has(meta.name)) throw new YdbError('SCHEME_ERROR', `Column '${meta.name}' is declared twice`)
			names.add(meta.name)
			if (!meta.type) throw new YdbError('SCHEME_ERROR', `Column '${meta.name}' has no type`)
			const optional = isOptional(meta.type)
			const notNull = meta.notNull ?? !optional
			const cell = columnType(meta.type)
			const otherwise = this.#otherwise(meta, cell)
			return { name: meta.name, type: notNull ? cell.bare : asOptional(meta.type), cell, notNull, otherwise }
		})
		for (const name of this.ids.keys()) if (!names.has(name)) this.ids.delete(name)
		for (const name of names) if (!this.ids.has(name)) this.ids.set(name, this.#nextId++)
		for (const name of this.sequences.keys())
			if (!spec.columns.some((meta) => meta.name === name && meta.defaultValue.case === 'fromSequence'))
				this.sequences.delete(name)
		this.key = spec.primaryKey.map((name) => {
			const at = this.columns.findIndex((column) => column.name === name)
			if (at < 0) throw new YdbError('SCHEME_ERROR', `Unknown column '${name}' specified in key column list`)
			const { cell } = this.columns[at]!
			if (!cell.mayBeKey) throw new YdbError('SCHEME_ERROR', `Column '${name}' has wrong key type ${cell.name}`)
			return at
		})
		if (new Set(spec.primaryKey).size !== spec.primaryKey.length)
			throw new YdbError('SCHEME_ERROR', 'A column stands twice in the primary key')
		this.#checkTtl()
		this.#checkIndexes()
		this.#checkFamilies()
		this.#checkColumnTable()
		this.#derivePartitions()
	}

	#otherwise({ name, defaultValue }: ColumnMeta, cell: ColumnType): Column['otherwise'] {
		if (defaultValue.case === 'fromLiteral') {
			const { type, value } = defaultValue.value
			if (!type || columnType(type).name !== cell.name)
				throw new YdbError('SCHEME_ERROR', `Default of column '${name}' is of another type than ${cell.name}`)
			const framed = framedCell(value)
			return () => framed
		}
		if (defaultValue.case !== 'fromSequence') return undefined
		let sequence = this.sequences.get(name)
		if (!sequence) this.sequences.set(name, (sequence = new Sequence(defaultValue.value, name, cell.name)))
		const of = sequence
		// A number that does not fit wraps, as servers were measured to let it.
		const bits = cell.name === 'Int16' ? 16 : 32
		const narrowed = (value: bigint): number => Number(BigInt.asIntN(bits, value))
		return () => {
			const item = cell.tag === INT64 ? { case: 'int64Value' as const, value: of.take() } : undefined
			return framedCell(create(ValueSchema, { value: item ?? { case: 'int32Value', value: narrowed(of.take()) } }))
		}
	}

	/** Rules of tables by columns. Source: YDB's documentation of column-oriented tables; the texts are guesses. */
	#checkColumnTable(): void {
		if (!this.isColumnTable) return
		const { indexes, columnFamilies } = this.spec
		if (indexes.length > 0) throw new YdbError('SCHEME_ERROR', 'Secondary indexes are not supported by column tables')
		for (const at of this.key)
			if (!this.columns[at]!.notNull)
				throw new YdbError('SCHEME_ERROR', `Nullable key column '${this.columns[at]!.name}'`)
		if (columnFamilies.some(({ data }) => data?.media))
			throw new YdbError('SCHEME_ERROR', 'Field `DATA` is not supported for OLAP tables')
		if (this.columns.some(({ otherwise }) => otherwise))
			throw new YdbError('UNSUPPORTED', 'defaults of columns of a column table are not emulated')
	}

	#checkFamilies(): void {
		const names = new Set(['', 'default'])
		const { columnFamilies, columns } = this.spec
		for (const { name } of columnFamilies) {
			if (name !== 'default' && names.has(name)) throw new YdbError('SCHEME_ERROR', `Duplicate family name: ${name}`)
			names.add(name)
		}
		for (const { name, family } of columns)
			if (!names.has(family))
				throw new YdbError('SCHEME_ERROR', `Unknown column family '${family}' of column '${name}'`)
	}

	/** Source of the rules: YDB's documentation of TTL. */
	#checkTtl(): void {
		const mode = this.spec.ttlSettings?.mode
		if (mode?.case !== 'dateTypeColumn' && mode?.case !== 'valueSinceUnixEpoch') return
		const { columnName } = mode.value
		const column = this.columns.find(({ name }) => name === columnName)
		if (!column) throw new YdbError('SCHEME_ERROR', `Cannot enable TTL on unknown column: '${columnName}'`)
		const moments = /^(Date|Datetime|Timestamp)(32|64)?$/
		const fits = mode.case === 'dateTypeColumn' ? moments : /^(Uint32|Uint64|DyNumber)$/
		if (!fits.test(column.cell.name))
			throw new YdbError('SCHEME_ERROR', `Cannot enable TTL on column '${columnName}' of type ${column.cell.name}`)
	}

	#checkIndexes(): void {
		const names = new Set<string>()
		for (const index of this.spec.indexes) {
			const { name, indexColumns, dataColumns, type } = index
			if (names.has(name)) throw new YdbError('SCHEME_ERROR', `Index ${name} is declared twice`)
			names.add(name)
			if (indexColumns.length === 0) throw new YdbError('SCHEME_ERROR', `Index ${name} has no columns`)
			// Source: ydb_ut.cpp.
			if (type.case === undefined && !isNewerIndex(index))
				throw new YdbError('BAD_REQUEST', 'Invalid or unset index type')
			if (this.changefeeds.has(name)) throw new YdbError('SCHEME_ERROR', `A changefeed has the name of index ${name}`)
			for (const wanted of [...indexColumns, ...dataColumns])
				if (!this.columns.some((column) => column.name === wanted))
					throw new YdbError('SCHEME_ERROR', `Index ${name} needs the unknown column '${wanted}'`)
			if (isNewerIndex(index)) continue
			for (const wanted of indexColumns) {
				const { cell } = this.columns.find((column) => column.name === wanted)!
				if (!cell.mayBeKey)
					throw new YdbError(
						'SCHEME_ERROR',
						`Column '${wanted}' has wrong key type ${cell.name} for being key of table with name '${name}'`,
					)
			}
		}
	}

	#derivePartitions(): void {
		const { partitions } = this.spec
		if (partitions.case === 'partitionAtKeys') {
			this.splitPoints = partitions.value.splitPoints
			this.splits = this.splitPoints.map((point) => this.boundKey(point))
			for (let at = 1; at < this.splits.length; at++)
				if (this.splits[at - 1]!.compare(this.splits[at]!) >= 0)
					throw new YdbError('SCHEME_ERROR', 'Partition boundaries must rise')
		} else if (partitions.case === 'uniformPartitions' && partitions.value > 1n) {
			const first = this.columns[this.key[0]!]!
			const width = first.cell.tag === 0x29 ? 64n : first.cell.tag === 0x1d ? 32n : 0n
			if (width === 0n)
				throw new YdbError(
					'SCHEME_ERROR',
					`Uniform partitions need an unsigned first key column, not ${first.cell.name}`,
				)
			const count = partitions.value
			this.splitPoints = Array.from({ length: Number(count) - 1 }, (_, at) => {
				const value = (BigInt(at + 1) << width) / count
				const item =
					width === 64n
						? { case: 'uint64Value' as const, value }
						: { case: 'uint32Value' as const, value: Number(value) }
				return create(TypedValueSchema, {
					type: { type: { case: 'tupleType', value: create(TupleTypeSchema, { elements: [asOptional(first.type)] }) } },
					value: { items: [create(ValueSchema, { value: item })] },
				})
			})
			this.splits = this.splitPoints.map((point) => this.boundKey(point))
		} else {
			this.splitPoints = []
			this.splits = []
		}
	}

	/** A tuple of the first key columns as memcmp bytes. */
	boundKey(bound: TypedValue): Buffer {
		const bytes = toBinary(ValueSchema, bound.value ?? create(ValueSchema))
		startKey()
		let at = 0
		for (const { start, end } of fields(bytes, { start: 0, end: bytes.length }, 0x62)) {
			const column = this.columns[this.key[at++] ?? -1]
			if (!column) throw new YdbError('BAD_REQUEST', 'a key bound has more values than the key has columns')
			addKeyCell(bytes, start, end, column.cell, column.name)
		}
		return finishKey()
	}

	/** An independent table with the same rows, for the cost of nothing. */
	copy(createdAt: number): Table {
		const spec = clone(CreateTableRequestSchema, this.spec)
		const copy = new Table(spec, createdAt, this.rows.snapshot(), this.mayHaveOwnColumns)
		copy.numberAs(this)
		for (const [column, sequence] of this.sequences) copy.sequences.get(column)?.continueFrom(sequence)
		return copy
	}

	/** The numbers of its columns, to put them back as they were. */
	get numbering(): Numbering {
		return { ids: new Map(this.ids), next: this.#nextId }
	}

	set numbering({ ids, next }: Numbering) {
		this.ids = new Map(ids)
		this.#nextId = next
	}

	/** Takes the numbers of another table for columns of the same names; its other columns follow. */
	numberAs(other: Table): void {
		const { ids, next } = other.numbering
		const names = this.spec.columns.map(({ name }) => name)
		this.#nextId = next
		this.ids = new Map(names.map((name) => [name, ids.get(name) ?? this.#nextId++]))
	}

	/** Re-reads the spec after an alteration. */
	refresh(): void {
		this.#derive()
		this.schemaVersion++
	}

	/** Why bulk writes are refused, if they are. Source: YDB's documentation of BulkUpsert. */
	get bulkRefusal(): string | undefined {
		if (this.refusesWrites) return this.refusesWrites
		if (this.readOnlyBecause) return this.readOnlyBecause
		const index: TableIndex | undefined = this.spec.indexes.find(({ type }) => type.case !== 'globalAsyncIndex')
		return index && `Only async-indexed tables are supported by BulkUpsert: index ${index.name}`
	}

	/** As DescribeTable tells them; with the state of sequences when that is asked for. */
	columnMetas(withValues = false): ReturnType<typeof create<typeof ColumnMetaSchema>>[] {
		return this.spec.columns.map((meta, at) => {
			const { type, notNull } = this.columns[at]!
			const sequence = this.sequences.get(meta.name)
			const told = sequence && { defaultValue: { case: 'fromSequence' as const, value: sequence.describe(withValues) } }
			return create(ColumnMetaSchema, { ...meta, type, notNull, ...told })
		})
	}
}

const INT64 = 0x21

function framedCell(value: Value | undefined): Uint8Array {
	const bytes = toBinary(ValueSchema, value ?? create(ValueSchema))
	const framed = new Uint8Array(1 + varintBytes(bytes.length) + bytes.length)
	framed[0] = 0x62
	framed.set(bytes, putVarint(framed as Buffer, 1, bytes.length))
	return framed
}
