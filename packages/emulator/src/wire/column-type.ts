import { create, toBinary, toJsonString } from '@bufbuild/protobuf'
import { type Type, Type_PrimitiveTypeId as Id, TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'

/** How a value of a type looks on the wire, and in which order it sorts. */
export interface ColumnType {
	/** As YDB's messages name it. */
	readonly name: string
	/** The bare type, without Optional. */
	readonly bare: Type
	readonly id: Id
	readonly decimal: { readonly precision: number; readonly scale: number } | undefined
	/** The tag byte of the field of `Ydb.Value` that carries it. Source: protos/ydb_value.proto. */
	readonly tag: number
	readonly mayBeKey: boolean
}

const BOOL = 0x08
const INT32 = 0x15
const UINT32 = 0x1d
const INT64 = 0x21
const UINT64 = 0x29
const FLOAT = 0x35
const DOUBLE = 0x39
const BYTES = 0x42
const TEXT = 0x4a
const LOW_128 = 0x79

/** Which of them can be key columns follows YDB's documentation of data types. */
const TABLE = new Map<Id, readonly [name: string, tag: number, mayBeKey: boolean]>([
	[Id.BOOL, ['Bool', BOOL, true]],
	[Id.INT8, ['Int8', INT32, true]],
	[Id.UINT8, ['Uint8', UINT32, true]],
	[Id.INT16, ['Int16', INT32, true]],
	[Id.UINT16, ['Uint16', UINT32, true]],
	[Id.INT32, ['Int32', INT32, true]],
	[Id.UINT32, ['Uint32', UINT32, true]],
	[Id.INT64, ['Int64', INT64, true]],
	[Id.UINT64, ['Uint64', UINT64, true]],
	[Id.FLOAT, ['Float', FLOAT, false]],
	[Id.DOUBLE, ['Double', DOUBLE, false]],
	[Id.DATE, ['Date', UINT32, true]],
	[Id.DATETIME, ['Datetime', UINT32, true]],
	[Id.TIMESTAMP, ['Timestamp', UINT64, true]],
	[Id.INTERVAL, ['Interval', INT64, true]],
	[Id.DATE32, ['Date32', INT32, true]],
	[Id.DATETIME64, ['Datetime64', INT64, true]],
	[Id.TIMESTAMP64, ['Timestamp64', INT64, true]],
	[Id.INTERVAL64, ['Interval64', INT64, true]],
	[Id.STRING, ['String', BYTES, true]],
	[Id.UTF8, ['Utf8', TEXT, true]],
	[Id.YSON, ['Yson', BYTES, false]],
	[Id.JSON, ['Json', TEXT, false]],
	[Id.JSON_DOCUMENT, ['JsonDocument', TEXT, false]],
	[Id.DYNUMBER, ['DyNumber', TEXT, true]],
	[Id.UUID, ['Uuid', LOW_128, true]],
])

const IDS = new Map([...TABLE].map(([id, [name]]) => [name.toLowerCase(), id]))
const ALIASES: Readonly<Record<string, string>> = { text: 'utf8', bytes: 'string' }

/** The type of that name (in any case), if tables can store it. */
export function typeNamed(name: string): ColumnType | undefined {
	const lower = name.toLowerCase()
	const id = IDS.get(ALIASES[lower] ?? lower)
	return id === undefined ? undefined : columnType(create(TypeSchema, { type: { case: 'typeId', value: id } }))
}

export function decimalType(precision: number, scale: number): ColumnType {
	return columnType(create(TypeSchema, { type: { case: 'decimalType', value: { precision, scale } } }))
}

export function isOptional(type: Type): boolean {
	return type.type.case === 'optionalType'
}

/** The type of a column, Optional or not. A type that tables cannot store is refused. */
export function columnType(type: Type): ColumnType {
	const bare = type.type.case === 'optionalType' ? type.type.value.item! : type
	if (bare.type.case === 'decimalType') {
		const { precision, scale } = bare.type.value
		if (precision < 1 || precision > 35 || scale > precision)
			throw new YdbError('SCHEME_ERROR', `Decimal(${precision},${scale}) is not a type`)
		const name = `Decimal(${precision},${scale})`
		return {
			name,
			bare,
			id: Id.PRIMITIVE_TYPE_ID_UNSPECIFIED,
			decimal: { precision, scale },
			tag: LOW_128,
			mayBeKey: true,
		}
	}
	const known = bare.type.case === 'typeId' ? TABLE.get(bare.type.value) : undefined
	if (!known) throw new YdbError('SCHEME_ERROR', `Type ${toJsonString(TypeSchema, bare)} cannot be stored in a table`)
	const [name, tag, mayBeKey] = known
	return { name, bare, id: (bare.type as { value: Id }).value, decimal: undefined, tag, mayBeKey }
}

export function sameType(a: Type, b: Type): boolean {
	return Buffer.compare(toBinary(TypeSchema, a), toBinary(TypeSchema, b)) === 0
}
