import { create } from '@bufbuild/protobuf'
import { NullValue } from '@bufbuild/protobuf/wkt'
import {
	DecimalTypeSchema,
	OptionalTypeSchema,
	type Type,
	TypeSchema,
	Type_PrimitiveTypeId as Id,
	type Value,
	ValueSchema,
} from '@ydbjs/api/value'

/** A type and the wire field that carries its values. */
export interface CellType {
	readonly type: Type
	readonly field:
		| 'boolValue'
		| 'int32Value'
		| 'uint32Value'
		| 'int64Value'
		| 'uint64Value'
		| 'floatValue'
		| 'doubleValue'
		| 'bytesValue'
		| 'textValue'
		| 'low128'
}

const primitive = (id: Id, field: CellType['field']): CellType => ({
	type: create(TypeSchema, { type: { case: 'typeId', value: id } }),
	field,
})

/** Every primitive type that a table can store. Source of the wire fields: protos/ydb_value.proto. */
export const STORABLE = {
	Bool: primitive(Id.BOOL, 'boolValue'),
	Int8: primitive(Id.INT8, 'int32Value'),
	Uint8: primitive(Id.UINT8, 'uint32Value'),
	Int16: primitive(Id.INT16, 'int32Value'),
	Uint16: primitive(Id.UINT16, 'uint32Value'),
	Int32: primitive(Id.INT32, 'int32Value'),
	Uint32: primitive(Id.UINT32, 'uint32Value'),
	Int64: primitive(Id.INT64, 'int64Value'),
	Uint64: primitive(Id.UINT64, 'uint64Value'),
	Float: primitive(Id.FLOAT, 'floatValue'),
	Double: primitive(Id.DOUBLE, 'doubleValue'),
	Date: primitive(Id.DATE, 'uint32Value'),
	Datetime: primitive(Id.DATETIME, 'uint32Value'),
	Timestamp: primitive(Id.TIMESTAMP, 'uint64Value'),
	Interval: primitive(Id.INTERVAL, 'int64Value'),
	Date32: primitive(Id.DATE32, 'int32Value'),
	Datetime64: primitive(Id.DATETIME64, 'int64Value'),
	Timestamp64: primitive(Id.TIMESTAMP64, 'int64Value'),
	Interval64: primitive(Id.INTERVAL64, 'int64Value'),
	String: primitive(Id.STRING, 'bytesValue'),
	Utf8: primitive(Id.UTF8, 'textValue'),
	Yson: primitive(Id.YSON, 'bytesValue'),
	Json: primitive(Id.JSON, 'textValue'),
	JsonDocument: primitive(Id.JSON_DOCUMENT, 'textValue'),
	DyNumber: primitive(Id.DYNUMBER, 'textValue'),
	Uuid: primitive(Id.UUID, 'low128'),
} as const

export function decimal(precision: number, scale: number): CellType {
	const value = create(DecimalTypeSchema, { precision, scale })
	return { type: create(TypeSchema, { type: { case: 'decimalType', value } }), field: 'low128' }
}

export function optional(cell: CellType): CellType {
	const value = create(OptionalTypeSchema, { item: cell.type })
	return { type: create(TypeSchema, { type: { case: 'optionalType', value } }), field: cell.field }
}

export type Plain = boolean | number | bigint | string | Uint8Array | null

/** One value of a type; 128-bit ones (Decimal, Uuid) as a signed bigint. */
export function cell({ field }: CellType, plain: Plain): Value {
	if (plain === null) return create(ValueSchema, { value: { case: 'nullFlagValue', value: NullValue.NULL_VALUE } })
	if (field !== 'low128') return create(ValueSchema, { value: { case: field, value: plain } as Value['value'] })
	const bits = BigInt.asUintN(128, plain as bigint)
	return create(ValueSchema, { value: { case: 'low128', value: BigInt.asUintN(64, bits) }, high128: bits >> 64n })
}

/** A Uuid's text as the 128 bits in which YDB keeps it: the first three groups are little-endian. */
export function uuid(text: string): bigint {
	const hex = text.replaceAll('-', '')
	const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
	return order.reduceRight((bits, at) => (bits << 8n) | BigInt(`0x${hex.slice(at * 2, at * 2 + 2)}`), 0n)
}
