import {
	bareType,
	type BackupError,
	type KeyBound,
	type KeyRange,
	protoField,
	protoFields,
	protoMessage,
	protoString,
	type ProtoText,
	type ProtoValue,
	spellType,
	type TableSchema,
	type YdbType,
} from '@ydbackup/core'
import { createKeyComparator, keyTypes, typeFromText, valueFromText } from '@ydbackup/rows'
import { schemeInvalid } from './table-schema.ts'

/**
 * The key ranges of the partitions that YDB makes of a `CreateTableRequest`, in key order, without gaps: from `partition_at_keys`;
 * one open range when nothing is said; undefined for `uniform_partitions` of more than one and for table profiles, whose bounds nobody but
 * the server knows.
 * Errors: `FORMAT_INVALID` for split points that do not rise or do not fit the key.
 */
export function partitionRangesOf(scheme: ProtoText, schema: TableSchema): KeyRange[] | undefined {
	const uniform = protoString(scheme, 'uniform_partitions')
	if (uniform !== undefined && Number(uniform) > 1) return undefined
	// Old dumps may say it here, in ways that no server has written for years.
	if (protoMessage(protoMessage(scheme, 'profile'), 'partitioning_policy').length > 0) return undefined

	const types = keyTypes(schema)
	const compare = createKeyComparator(types)
	const ranges: KeyRange[] = []
	let from: KeyBound | undefined
	for (const [index, value] of protoFields(protoMessage(scheme, 'partition_at_keys'), 'split_points').entries()) {
		const key = readSplitPoint(value, types, index)
		if (from !== undefined && compare(from.key, key) >= 0) {
			throw splitInvalid(index, 'it does not lie above the one before it')
		}
		ranges.push({ ...(from === undefined ? {} : { from }), to: { key, inclusive: false } })
		from = { key, inclusive: true }
	}
	ranges.push(from === undefined ? {} : { from })
	return ranges
}

/** The bytes of a tuple's items are the bytes of a key. */
function readSplitPoint(split: ProtoValue, types: readonly YdbType[], index: number): Uint8Array {
	const typed = split.kind === 'message' ? split.fields : []
	const value = protoMessage(typed, 'value')
	if (value.length === 0 || value.some((field) => field.name !== 'items')) throw splitInvalid(index, 'it is no tuple')
	if (value.length > types.length)
		throw splitInvalid(index, `it has ${value.length} columns, and the key has ${types.length}`)

	const tuple = protoMessage(protoMessage(typed, 'type'), 'tuple_type')
	const elements = protoFields(tuple, 'elements')
	// Without a type there is nothing to compare; YDB always writes one.
	if (protoField(typed, 'type') !== undefined && elements.length !== value.length) {
		throw splitInvalid(index, `its type has ${elements.length} elements and its value has ${value.length}`)
	}
	for (const [column, element] of elements.entries()) {
		const found = spellType(bareType(typeFromText(element.kind === 'message' ? element.fields : [])))
		const expected = spellType(bareType(types[column]!))
		if (found !== expected)
			throw splitInvalid(index, `its column ${column + 1} is ${found}, and the key's is ${expected}`)
	}
	return valueFromText(value)
}

function splitInvalid(index: number, what: string): BackupError {
	return schemeInvalid('this table', `split point ${index + 1}: ${what}`)
}
