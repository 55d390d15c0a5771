/**
 * Every primitive type of YDB with its number in `Ydb.Type.PrimitiveTypeId` and that enum's spelling (which the native backup
 * formats use). Keys are the spellings of YQL. Source: `protos/ydb_value.proto`.
 */
export const PRIMITIVE_TYPES = {
	Bool: { id: 0x0006, proto: 'BOOL' },
	Int8: { id: 0x0007, proto: 'INT8' },
	Uint8: { id: 0x0005, proto: 'UINT8' },
	Int16: { id: 0x0008, proto: 'INT16' },
	Uint16: { id: 0x0009, proto: 'UINT16' },
	Int32: { id: 0x0001, proto: 'INT32' },
	Uint32: { id: 0x0002, proto: 'UINT32' },
	Int64: { id: 0x0003, proto: 'INT64' },
	Uint64: { id: 0x0004, proto: 'UINT64' },
	Float: { id: 0x0021, proto: 'FLOAT' },
	Double: { id: 0x0020, proto: 'DOUBLE' },
	Date: { id: 0x0030, proto: 'DATE' },
	Datetime: { id: 0x0031, proto: 'DATETIME' },
	Timestamp: { id: 0x0032, proto: 'TIMESTAMP' },
	Interval: { id: 0x0033, proto: 'INTERVAL' },
	TzDate: { id: 0x0034, proto: 'TZ_DATE' },
	TzDatetime: { id: 0x0035, proto: 'TZ_DATETIME' },
	TzTimestamp: { id: 0x0036, proto: 'TZ_TIMESTAMP' },
	Date32: { id: 0x0040, proto: 'DATE32' },
	Datetime64: { id: 0x0041, proto: 'DATETIME64' },
	Timestamp64: { id: 0x0042, proto: 'TIMESTAMP64' },
	Interval64: { id: 0x0043, proto: 'INTERVAL64' },
	String: { id: 0x1001, proto: 'STRING' },
	Utf8: { id: 0x1200, proto: 'UTF8' },
	Yson: { id: 0x1201, proto: 'YSON' },
	Json: { id: 0x1202, proto: 'JSON' },
	Uuid: { id: 0x1203, proto: 'UUID' },
	JsonDocument: { id: 0x1204, proto: 'JSON_DOCUMENT' },
	DyNumber: { id: 0x1302, proto: 'DYNUMBER' },
} as const

export type PrimitiveName = keyof typeof PRIMITIVE_TYPES

/** A type of a column or value. `unknown` is a type that this version cannot carry exactly; `spelling` names it for people. */
export type YdbType =
	| { readonly kind: 'primitive'; readonly name: PrimitiveName }
	| { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
	| { readonly kind: 'pg'; readonly name: string; readonly oid: number; readonly modifier: string }
	| { readonly kind: 'optional'; readonly item: YdbType }
	| { readonly kind: 'unknown'; readonly spelling: string }

/** The type as YQL spells it, for example `Optional<Decimal(22,9)>`. */
export function spellType(type: YdbType): string {
	switch (type.kind) {
		case 'primitive':
			return type.name
		case 'decimal':
			return `Decimal(${type.precision},${type.scale})`
		case 'pg':
			return `pg${type.name}`
		case 'optional':
			return `Optional<${spellType(type.item)}>`
		case 'unknown':
			return type.spelling
	}
}

/** The type without its outermost Optional. */
export function bareType(type: YdbType): YdbType {
	return type.kind === 'optional' ? type.item : type
}
