// How a table is cut into partitions, and how that changes while it is used.
import { create, fromBinary } from '@bufbuild/protobuf'
import {
	OptionalTypeSchema,
	TupleTypeSchema,
	type Type,
	type TypedValue,
	TypedValueSchema,
	TypeSchema,
	ValueSchema,
} from '@ydbjs/api/value'
import { ExplicitPartitionsSchema } from '@ydbjs/api/table'
import { LIMITS } from '../limits.ts'
import type { Table } from '../scheme/table.ts'
import type { StoreRange } from '../store/row-store.ts'
import { position, seek, varint } from '../wire/cursor.ts'
import { cellsOf } from './bulk-upsert.ts'

const ENABLED = 1
/** Source: YDB's documentation of AUTO_PARTITIONING_PARTITION_SIZE_MB. */
const DEFAULT_SIZE_MB = 2048

export function rangeOf({ splits }: Pick<Table, 'splits'>, partition: number): StoreRange {
	return { from: splits[partition - 1], to: splits[partition] }
}

function bytesOf(table: Table, partition: number): number {
	let bytes = 0
	for (const { rows } of table.rows.scan(rangeOf(table, partition))) bytes += rows.length
	return bytes
}

/** The row in the middle of a partition, by bytes; undefined when it has but one. */
function middleRow(table: Table, partition: number): Buffer | undefined {
	const half = bytesOf(table, partition) / 2
	let bytes = 0
	let count = 0
	for (const { rows, ends, base, first, count: inPage } of table.rows.scan(rangeOf(table, partition)))
		for (let at = first; at < first + inPage; at++) {
			const start = at === first ? 0 : ends[at - 1]! - base
			const end = ends[at]! - base
			if (count++ > 0 && bytes + end > half) return rows.subarray(start, end)
			if (at === first + inPage - 1) bytes += end
		}
	return undefined
}

const asOptional = (type: Type): Type =>
	type.type.case === 'optionalType'
		? type
		: create(TypeSchema, { type: { case: 'optionalType', value: create(OptionalTypeSchema, { item: type }) } })

function keyOf(table: Table, row: Buffer): TypedValue {
	const cells = cellsOf(row)!
	const items = table.key.map((column) => {
		const cell = cells[column]!
		seek(1)
		varint(cell)
		return fromBinary(ValueSchema, cell.subarray(position))
	})
	const elements = table.key.map((column) => asOptional(table.columns[column]!.type))
	return create(TypedValueSchema, {
		type: { type: { case: 'tupleType', value: create(TupleTypeSchema, { elements }) } },
		value: { items },
	})
}

/** Cuts a table anew. */
export function cutAt(table: Table, splitPoints: TypedValue[]): void {
	const value = create(ExplicitPartitionsSchema, { splitPoints })
	table.spec.partitions = splitPoints.length > 0 ? { case: 'partitionAtKeys', value } : { case: undefined }
	table.splitPoints = splitPoints
	table.splits = splitPoints.map((point) => table.boundKey(point))
}

/** Makes two partitions of one. Whether it could be done: a partition of one row cannot be split. */
export function split(table: Table, partition: number): boolean {
	const possible = partition <= table.splits.length && table.splits.length + 1 < LIMITS.partitions.value
	const row = possible ? middleRow(table, partition) : undefined
	if (!row) return false
	cutAt(table, table.splitPoints.toSpliced(partition, 0, keyOf(table, row)))
	return true
}

/** Makes one partition of this and the next. Whether there is a next. */
export function merge(table: Table, partition: number): boolean {
	if (partition >= table.splits.length) return false
	cutAt(table, table.splitPoints.toSpliced(partition, 1))
	return true
}

/** Splits partitions that are too large and merges neighbours that are small together, as the settings of the table say. */
export function partitionBySize(table: Table): void {
	const settings = table.spec.partitioningSettings
	if (settings?.partitioningBySize !== ENABLED) return
	const most = (Number(settings.partitionSizeMb) || DEFAULT_SIZE_MB) * 2 ** 20
	const least = Number(settings.minPartitionsCount) || 1
	const allowed = Number(settings.maxPartitionsCount) || Number.POSITIVE_INFINITY
	const sizes = Array.from({ length: table.splits.length + 1 }, (_, at) => bytesOf(table, at))
	for (let at = 0; at < sizes.length;) {
		if (sizes[at]! > most && sizes.length < allowed && split(table, at))
			sizes.splice(at, 1, bytesOf(table, at), bytesOf(table, at + 1))
		// Half of the size, so that what is merged is not split again at once. How far YDB waits is not verified.
		else if (
			at + 1 < sizes.length &&
			sizes.length > least &&
			sizes[at]! + sizes[at + 1]! < most / 2 &&
			merge(table, at)
		)
			sizes.splice(at, 2, sizes[at]! + sizes[at + 1]!)
		else at++
	}
}

/** Watches what is written, and looks at the partitions of a table when it is much. */
export class Partitioner {
	readonly #written = new WeakMap<Table, number>()

	wrote(table: Table, bytes: number): void {
		const settings = table.spec.partitioningSettings
		if (settings?.partitioningBySize !== ENABLED) return
		const sum = (this.#written.get(table) ?? 0) + bytes
		const enough = ((Number(settings.partitionSizeMb) || DEFAULT_SIZE_MB) * 2 ** 20) / 8
		this.#written.set(table, sum < enough ? sum : 0)
		if (sum >= enough) partitionBySize(table)
	}
}
