import { bareType, BackupError, type PrimitiveName, spellType, type YdbType } from '@ydbackup/core'
import {
	TAG_BOOL,
	TAG_BYTES,
	TAG_DOUBLE,
	TAG_FLOAT,
	TAG_INT32,
	TAG_INT64,
	TAG_LOW_128,
	TAG_TEXT,
	TAG_UINT32,
	TAG_UINT64,
} from './wire.ts'

/** How the value of a type lies in `Ydb.Value`. Numbers, because hot loops switch on them. */
export const SHAPE = {
	bool: 0,
	fixed32: 1,
	fixed64: 2,
	float: 3,
	double: 4,
	string: 5,
	wide: 6,
	uuid: 7,
	pg: 8,
} as const
export type Shape = (typeof SHAPE)[keyof typeof SHAPE]

export interface CellShape {
	readonly shape: Shape
	/** The tag that YDB writes a value with. Some servers write another one: Uuid as bytes, strings as text or bytes. */
	readonly tag: number
}

const SHAPES: Record<PrimitiveName, CellShape> = {
	Bool: { shape: SHAPE.bool, tag: TAG_BOOL },
	Int8: { shape: SHAPE.fixed32, tag: TAG_INT32 },
	Uint8: { shape: SHAPE.fixed32, tag: TAG_UINT32 },
	Int16: { shape: SHAPE.fixed32, tag: TAG_INT32 },
	Uint16: { shape: SHAPE.fixed32, tag: TAG_UINT32 },
	Int32: { shape: SHAPE.fixed32, tag: TAG_INT32 },
	Uint32: { shape: SHAPE.fixed32, tag: TAG_UINT32 },
	Int64: { shape: SHAPE.fixed64, tag: TAG_INT64 },
	Uint64: { shape: SHAPE.fixed64, tag: TAG_UINT64 },
	Float: { shape: SHAPE.float, tag: TAG_FLOAT },
	Double: { shape: SHAPE.double, tag: TAG_DOUBLE },
	Date: { shape: SHAPE.fixed32, tag: TAG_UINT32 },
	Datetime: { shape: SHAPE.fixed32, tag: TAG_UINT32 },
	Timestamp: { shape: SHAPE.fixed64, tag: TAG_UINT64 },
	Interval: { shape: SHAPE.fixed64, tag: TAG_INT64 },
	TzDate: { shape: SHAPE.string, tag: TAG_TEXT },
	TzDatetime: { shape: SHAPE.string, tag: TAG_TEXT },
	TzTimestamp: { shape: SHAPE.string, tag: TAG_TEXT },
	Date32: { shape: SHAPE.fixed32, tag: TAG_INT32 },
	Datetime64: { shape: SHAPE.fixed64, tag: TAG_INT64 },
	Timestamp64: { shape: SHAPE.fixed64, tag: TAG_INT64 },
	Interval64: { shape: SHAPE.fixed64, tag: TAG_INT64 },
	String: { shape: SHAPE.string, tag: TAG_BYTES },
	Utf8: { shape: SHAPE.string, tag: TAG_TEXT },
	Yson: { shape: SHAPE.string, tag: TAG_BYTES },
	Json: { shape: SHAPE.string, tag: TAG_TEXT },
	Uuid: { shape: SHAPE.uuid, tag: TAG_LOW_128 },
	JsonDocument: { shape: SHAPE.string, tag: TAG_TEXT },
	DyNumber: { shape: SHAPE.string, tag: TAG_TEXT },
}

const DECIMAL: CellShape = { shape: SHAPE.wide, tag: TAG_LOW_128 }
const PG: CellShape = { shape: SHAPE.pg, tag: TAG_TEXT }

/** How cells of a column lie on the wire. Throws `TYPE_UNKNOWN` for a type that cannot be carried exactly; `what` names its place. */
export function cellShape(type: YdbType, what: string): CellShape {
	const bare = bareType(type)
	switch (bare.kind) {
		case 'primitive':
			return SHAPES[bare.name]
		case 'decimal':
			return DECIMAL
		case 'pg':
			return PG
		default:
			throw new BackupError('TYPE_UNKNOWN', `${what} has type ${spellType(type)}, which this version cannot carry`, {
				advice: 'exclude the table, or use a newer version of ydbackup',
			})
	}
}

/** True when cells of the type may be NULL: Optional, and every pg type. */
export function isNullable(type: YdbType): boolean {
	return type.kind === 'optional' || type.kind === 'pg'
}
