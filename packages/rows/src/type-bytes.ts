import { BackupError, type KeyBytes, PRIMITIVE_TYPES, type TableSchema, type YdbType } from '@ydbackup/core'
import {
	after,
	concatBytes,
	lengthDelimited,
	malformed,
	readVarint,
	TAG_ITEMS,
	varintLength,
	writeVarint,
} from './wire.ts'

const TYPE_ID = 0x08
const DECIMAL = 0x12
/** Fields above 15 have tags of two bytes. */
const OPTIONAL = (101 << 3) | 2
const LIST = (102 << 3) | 2
const TUPLE = (103 << 3) | 2
const STRUCT = (104 << 3) | 2
const PG = (205 << 3) | 2

/** The bytes of a `Ydb.Type` message. Throws `TYPE_UNKNOWN` for an unknown type. */
export function typeToBytes(type: YdbType): Uint8Array {
	switch (type.kind) {
		case 'primitive':
			return varintField(TYPE_ID, PRIMITIVE_TYPES[type.name].id)
		case 'decimal':
			return lengthDelimited(DECIMAL, concatBytes([varintField(0x08, type.precision), varintField(0x10, type.scale)]))
		case 'pg': {
			const encoder = new TextEncoder()
			const parts = [varintField(0x08, type.oid), lengthDelimited(0x52, encoder.encode(type.name))]
			if (type.modifier !== '') parts.push(lengthDelimited(0x5a, encoder.encode(type.modifier)))
			return lengthDelimited(PG, concatBytes(parts))
		}
		case 'optional':
			return lengthDelimited(OPTIONAL, lengthDelimited(0x0a, typeToBytes(type.item)))
		case 'unknown':
			throw new BackupError('TYPE_UNKNOWN', `type ${type.spelling} is not known to this version`, {
				advice: 'use a newer version of ydbackup',
			})
	}
}

/** The bytes of the `Ydb.Type` List<Struct<…all columns in order…>>: the type of the rows that a BulkUpsert request carries. */
export function listOfStructType(schema: Pick<TableSchema, 'columns'>): Uint8Array {
	const encoder = new TextEncoder()
	const members = schema.columns.map((column) =>
		lengthDelimited(
			0x0a,
			concatBytes([
				lengthDelimited(0x0a, encoder.encode(column.name)),
				lengthDelimited(0x12, typeToBytes(column.type)),
			]),
		),
	)
	const struct = lengthDelimited(STRUCT, concatBytes(members))
	return lengthDelimited(LIST, lengthDelimited(0x0a, struct))
}

/**
 * The bytes of the `Ydb.TypedValue` that a key, or the beginning of one, is as a bound of a ReadTable request: a tuple as long as the key.
 * `types` are the key columns' types in key order; Optional stays Optional.
 */
export function keyBoundTypedValue(types: readonly YdbType[], key: KeyBytes): Uint8Array {
	const columns = countCells(key)
	if (columns > types.length) throw malformed(`a key of ${columns} cells for a table with ${types.length} key columns`)
	const elements = types.slice(0, columns).map((type) => lengthDelimited(0x0a, typeToBytes(type)))
	return concatBytes([lengthDelimited(0x0a, lengthDelimited(TUPLE, concatBytes(elements))), lengthDelimited(0x12, key)])
}

function countCells(key: KeyBytes): number {
	let count = 0
	for (let p = 0; p < key.length; count++) {
		if (key[p] !== TAG_ITEMS) throw malformed('a key holds something else than cells')
		const length = readVarint(key, p + 1, key.length)
		p = after + length
		if (p > key.length) throw malformed('a key is cut off')
	}
	return count
}

/** Zero is left out, as proto3 writers do. */
function varintField(tag: number, value: number): Uint8Array {
	if (value === 0) return new Uint8Array(0)
	const out = new Uint8Array(varintLength(tag) + varintLength(value))
	writeVarint(out, writeVarint(out, 0, tag), value)
	return out
}
