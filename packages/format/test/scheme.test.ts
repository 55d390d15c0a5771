import type { KeyRange, TableSchema } from '@ydbackup/core'
import { createKeyComparator, keyTypes } from '@ydbackup/rows'
import { expect, test } from 'vitest'

import { parseProtoText, partitionRangesOf, tableSchemaOf } from '../src/index.ts'

const type = (name: string): string => `type { optional_type { item { type_id: ${name} } } }`
const columns = (list: Record<string, string>): string =>
	Object.entries(list)
		.map(([name, spelling]) => `columns { name: "${name}" ${spelling} }`)
		.join('\n')
const schemaOf = (text: string): TableSchema => tableSchemaOf(parseProtoText(text, 's'), 'dir/t')
const rangesOf = (text: string): KeyRange[] | undefined => {
	const tree = parseProtoText(text, 's')
	return partitionRangesOf(tree, tableSchemaOf(tree, 'dir/t'))
}
const split = (types: string[], values: string[]): string => `split_points {
	type { tuple_type { ${types.map((one) => `elements { optional_type { item { type_id: ${one} } } }`).join(' ')} } }
	value { ${values.map((one) => `items { ${one} }`).join(' ')} }
}`
const table = `${columns({ a: type('UINT64'), b: type('UTF8'), c: 'type { type_id: BOOL }' })} primary_key: "b" primary_key: "a"`

test('columns keep their order and the key has its own', () => {
	const schema = schemaOf(table)
	expect(schema.columns.map((column) => column.name)).toEqual(['a', 'b', 'c'])
	expect(schema.primaryKey).toEqual(['b', 'a'])
	expect(schema.columns[0]?.type).toEqual({ kind: 'optional', item: { kind: 'primitive', name: 'Uint64' } })
	expect(schema.columns[2]?.type).toEqual({ kind: 'primitive', name: 'Bool' })
})

test('a type that is not known names table and column', () => {
	const source = `${columns({ a: type('UINT64'), odd: type('NEW_TYPE') })} primary_key: "a"`
	expect(() => schemaOf(source)).toThrow(expect.objectContaining({ code: 'TYPE_UNKNOWN' }))
	expect(() => schemaOf(source)).toThrow(/dir\/t: column "odd" .*NEW_TYPE/u)
	const twice = `${columns({ a: 'type { optional_type { item { optional_type { item { type_id: UTF8 } } } } }' })} primary_key: "a"`
	expect(() => schemaOf(twice)).toThrow(expect.objectContaining({ code: 'TYPE_UNKNOWN' }))
	expect(() => schemaOf('columns { name: "a" } primary_key: "a"')).toThrow(
		expect.objectContaining({ code: 'TYPE_UNKNOWN' }),
	)
})

test.for<[string, string]>([
	['', 'no columns'],
	[columns({ a: type('UTF8') }), 'no primary key'],
	[`${columns({ a: type('UTF8') })} primary_key: "z"`, 'is no column'],
	[`${columns({ a: type('UTF8') })} primary_key: "a" primary_key: "a"`, 'twice'],
	[`${columns({ a: type('UTF8') })} ${columns({ a: type('UTF8') })} primary_key: "a"`, 'twice'],
	[`columns { ${type('UTF8')} } primary_key: "a"`, 'no name'],
	['columns { name: "\\377" } primary_key: "a"', 'not UTF-8'],
	['columns: 5', 'no name'],
])('a scheme that cannot be is refused: %s', ([source, message]) => {
	expect(() => schemaOf(source)).toThrow(message)
	expect(() => schemaOf(source)).toThrow(expect.objectContaining({ code: 'FORMAT_INVALID' }))
})

test('names that objects of JavaScript treat as special are columns like others', () => {
	const names = ['constructor', '__proto__']
	const listed = names.map((name) => `columns { name: "${name}" ${type('UTF8')} }`).join(' ')
	const schema = schemaOf(`${listed} primary_key: "__proto__"`)
	expect(schema.columns.map((column) => column.name)).toEqual(names)
})

test('without split points there is one open range', () => {
	expect(rangesOf(table)).toEqual([{}])
	expect(rangesOf(`${table} uniform_partitions: 1`)).toEqual([{}])
	expect(rangesOf(`${table} partition_at_keys { }`)).toEqual([{}])
	expect(rangesOf(`${table} partitioning_settings { min_partitions_count: 7 }`)).toEqual([{}])
})

test('bounds that only the server knows are not guessed', () => {
	expect(rangesOf(`${table} uniform_partitions: 4`)).toBeUndefined()
	expect(rangesOf(`${table} profile { partitioning_policy { uniform_partitions: 4 } }`)).toBeUndefined()
})

test('n split points make n + 1 ranges that touch, rise and leave no key out', () => {
	const ranges = rangesOf(`${table} partition_at_keys {
		${split(['UTF8'], ['text_value: "b"'])}
		${split(['UTF8', 'UINT64'], ['text_value: "b"', 'uint64_value: 7'])}
		${split(['UTF8', 'UINT64'], ['text_value: "b\\000"', 'null_flag_value: NULL_VALUE'])}
	}`)!
	expect(ranges).toHaveLength(4)
	expect(ranges[0]?.from).toBeUndefined()
	expect(ranges[3]?.to).toBeUndefined()
	const compare = createKeyComparator(keyTypes(schemaOf(table)))
	for (const [index, range] of ranges.entries()) {
		if (range.from !== undefined) expect(range.from).toEqual({ key: ranges[index - 1]?.to?.key, inclusive: true })
		if (range.to !== undefined) expect(range.to.inclusive).toBe(false)
		if (range.from !== undefined && range.to !== undefined)
			expect(compare(range.from.key, range.to.key)).toBeLessThan(0)
	}
	// tag 0x62, length 3, text_value "b"
	expect(Array.from(ranges[0]!.to!.key)).toEqual([0x62, 3, 0x4a, 1, 0x62])
})

test.for<[string, string]>([
	[split(['UTF8'], ['text_value: "b"']) + split(['UTF8'], ['text_value: "b"']), 'split point 2: it does not lie above'],
	[split(['UTF8'], ['text_value: "b"']) + split(['UTF8'], ['text_value: "a"']), 'split point 2: it does not lie above'],
	[split(['UINT64'], ['uint64_value: 1']), "its column 1 is Uint64, and the key's is Utf8"],
	[split(['UTF8', 'UINT64', 'BOOL'], ['text_value: "b"', 'uint64_value: 1', 'bool_value: true']), 'the key has 2'],
	[split(['UTF8', 'UINT64'], ['text_value: "b"']), '2 elements and its value has 1'],
	[split([], []), 'no tuple'],
	['split_points { value { text_value: "b" } }', 'no tuple'],
	['split_points: 3', 'no tuple'],
])('split points that cannot be are refused: %s', ([points, message]) => {
	expect(() => rangesOf(`${table} partition_at_keys { ${points} }`)).toThrow(message)
})
