import { bareType, BackupError, type PrimitiveName, spellType, type TableSchema } from '@ydbackup/core'
import { cellShape, type CellShape, isNullable } from '@ydbackup/rows'

/** How a column's cells are written and read. Numbers, because the loops over cells switch on them. */
export const KIND = {
	bool: 0,
	int32: 1,
	uint32: 2,
	int64: 3,
	uint64: 4,
	float: 5,
	double: 6,
	date: 7,
	datetime: 8,
	timestamp: 9,
	quoted: 10,
	bare: 11,
	decimal: 12,
	uuid: 13,
} as const
export type Kind = (typeof KIND)[keyof typeof KIND]

const KINDS: Record<PrimitiveName, Kind> = {
	Bool: KIND.bool,
	Int8: KIND.int32,
	Uint8: KIND.uint32,
	Int16: KIND.int32,
	Uint16: KIND.uint32,
	Int32: KIND.int32,
	Uint32: KIND.uint32,
	Int64: KIND.int64,
	Uint64: KIND.uint64,
	Float: KIND.float,
	Double: KIND.double,
	Date: KIND.date,
	Datetime: KIND.datetime,
	Timestamp: KIND.timestamp,
	Interval: KIND.int64,
	TzDate: KIND.quoted,
	TzDatetime: KIND.quoted,
	TzTimestamp: KIND.quoted,
	Date32: KIND.int32,
	Datetime64: KIND.int64,
	Timestamp64: KIND.int64,
	Interval64: KIND.int64,
	String: KIND.quoted,
	Utf8: KIND.quoted,
	Yson: KIND.quoted,
	Json: KIND.quoted,
	JsonDocument: KIND.quoted,
	Uuid: KIND.uuid,
	DyNumber: KIND.bare,
}

/** Ranges that are narrower than the field on the wire. Source: YDB, `udf_data_type.h`. */
const RANGES: Partial<Record<PrimitiveName, readonly [number, number]>> = {
	Int8: [-128, 127],
	Uint8: [0, 255],
	Int16: [-32_768, 32_767],
	Uint16: [0, 65_535],
	Date32: [-53_375_809, 53_375_807],
}
export const FIRST_DAY_AFTER = 49_673

/** What the loops need to know of a table, one entry per column. */
export interface ColumnPlan {
	readonly columns: number
	readonly kinds: Uint8Array
	/** The tag that a value has on the wire. */
	readonly tags: Uint8Array
	/** 1 where NULL is allowed. */
	readonly nullable: Uint8Array
	/** 1 where the bytes must be UTF-8, because their field is a protobuf string. */
	readonly text: Uint8Array
	readonly scales: Uint8Array
	readonly precisions: Uint8Array
	readonly lows: Float64Array
	readonly highs: Float64Array
	readonly shapes: readonly CellShape[]
	readonly names: readonly string[]
	readonly types: readonly string[]
}

/** Chooses once per table what to do with each column. Throws `TYPE_UNKNOWN` naming the column. */
export function planColumns(schema: TableSchema): ColumnPlan {
	const columns = schema.columns.length
	if (columns === 0) throw new BackupError('FORMAT_INVALID', 'a table without columns has no rows to write or read')
	const plan = {
		columns,
		kinds: new Uint8Array(columns),
		tags: new Uint8Array(columns),
		nullable: new Uint8Array(columns),
		text: new Uint8Array(columns),
		scales: new Uint8Array(columns),
		precisions: new Uint8Array(columns),
		lows: new Float64Array(columns),
		highs: new Float64Array(columns),
		shapes: schema.columns.map((column) => cellShape(column.type, `column "${column.name}"`)),
		names: schema.columns.map((column) => column.name),
		types: schema.columns.map((column) => spellType(column.type)),
	}
	for (const [at, column] of schema.columns.entries()) {
		const type = bareType(column.type)
		plan.tags[at] = plan.shapes[at]!.tag
		plan.nullable[at] = isNullable(column.type) ? 1 : 0
		if (type.kind === 'primitive') {
			plan.kinds[at] = KINDS[type.name]
			plan.text[at] = plan.shapes[at]!.tag === 0x4a ? 1 : 0
			const full = KINDS[type.name] === KIND.uint32 ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1]
			const range = RANGES[type.name] ?? full
			plan.lows[at] = range[0]!
			plan.highs[at] = range[1]!
		} else if (type.kind === 'decimal') {
			plan.kinds[at] = KIND.decimal
			plan.scales[at] = type.scale
			plan.precisions[at] = type.precision
		} else {
			plan.kinds[at] = KIND.quoted
			plan.text[at] = 1
		}
	}
	return plan
}
