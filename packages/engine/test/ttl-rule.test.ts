import type { PrimitiveName, RowChunk, TableSchema } from '@ydbackup/core'
import { parseProtoText } from '@ydbackup/format'
import { concatBytes, lengthDelimited, TAG_ITEMS, valueFromText } from '@ydbackup/rows'
import { expect, test } from 'vitest'
import { chunkOf } from './row-bytes.ts'
import { expiredCounter, ttlRule } from '../src/restore/ttl-rule.ts'

const NOW = Date.parse('2026-11-30T12:00:00Z')
const tree = (text: string) => parseProtoText(text, 'a test')

function schemaOf(type: PrimitiveName): TableSchema {
	const plain = (name: PrimitiveName) => ({ kind: 'primitive' as const, name })
	return {
		primaryKey: ['id'],
		columns: [
			{ name: 'id', type: plain('Uint64') },
			{ name: 'text', type: { kind: 'optional', item: plain('Utf8') } },
			{ name: 'at', type: { kind: 'optional', item: plain(type) } },
		],
	}
}

/** Rows with these cells in the column of the TTL. */
function rows(schema: TableSchema, cells: readonly string[]): RowChunk {
	const frames = cells.map((cell, id) => {
		// A long cell before it, so that lengths take two bytes.
		const texts = [`uint64_value: ${id}`, `text_value: "${'x'.repeat(200)}"`, cell]
		const items = texts.map((text) => lengthDelimited(TAG_ITEMS, valueFromText(tree(text))))
		return lengthDelimited(TAG_ITEMS, concatBytes(items))
	})
	return chunkOf(frames, schema)
}

function expired(type: PrimitiveName, settings: string, cells: readonly string[]): number | undefined {
	const schema = schemaOf(type)
	const rule = ttlRule(tree(settings), schema)
	return rule && expiredCounter(rule, schema, NOW)(rows(schema, cells))
}

const SECONDS = NOW / 1000
const HOUR = 'date_type_column { column_name: "at" expire_after_seconds: 3600 }'
const since = (unit: string): string =>
	`value_since_unix_epoch { column_name: "at" column_unit: UNIT_${unit} expire_after_seconds: 3600 }`

test.for<[PrimitiveName, string, string, bigint | number]>([
	['Datetime', HOUR, 'uint32_value', SECONDS - 3600],
	['Timestamp', HOUR, 'uint64_value', BigInt(SECONDS - 3600) * 1_000_000n],
	['Datetime64', HOUR, 'int64_value', SECONDS - 3600],
	['Timestamp64', HOUR, 'int64_value', BigInt(SECONDS - 3600) * 1_000_000n],
	['Uint32', since('SECONDS'), 'uint32_value', SECONDS - 3600],
	['Uint64', since('MILLISECONDS'), 'uint64_value', BigInt(SECONDS - 3600) * 1_000n],
	['Uint64', since('MICROSECONDS'), 'uint64_value', BigInt(SECONDS - 3600) * 1_000_000n],
])('%s: a row is due when its moment and the time after it have passed: %s', ([type, settings, field, last]) => {
	const one = typeof last === 'bigint' ? last + 1n : last + 1
	const cells = [`${field}: ${last}`, `${field}: ${one}`, `${field}: 0`, 'null_flag_value: NULL_VALUE']
	expect(expired(type, settings, cells)).toBe(2)
})

test('days, numbers of any length and nanoseconds', () => {
	const today = Math.floor(SECONDS / 86_400)
	const day = 'date_type_column { column_name: "at" expire_after_seconds: 0 }'
	expect(expired('Date', day, [`uint32_value: ${today}`, `uint32_value: ${today + 1}`])).toBe(1)
	expect(expired('Date32', day, ['int32_value: -7000000', `int32_value: ${today + 1}`])).toBe(1)
	const text = (value: string): string => `text_value: "${value}"`
	expect(expired('DyNumber', since('SECONDS'), [text('.1e4'), text('.18e11'), text('-.5e3')])).toBe(2)
	const nanoseconds = BigInt(SECONDS) * 1_000_000_000n
	expect(expired('Uint64', since('NANOSECONDS'), [`uint64_value: ${nanoseconds}`, 'uint64_value: 1'])).toBe(1)
})

test('of tiers the one that deletes counts; what deletes nothing, or in an unknown way, has no rule', () => {
	const tier = (after: number, action: string): string =>
		`tiers { date_type_column { column_name: "at" expire_after_seconds: ${after} } ${action} }`
	const evict = 'evict_to_external_storage { storage: "/local/cold" }'
	const cells = [`uint32_value: ${SECONDS - 100}`, `uint32_value: ${SECONDS - 10_000}`]
	expect(expired('Datetime', `tiered_ttl { ${tier(10, evict)} ${tier(5000, 'delete {}')} }`, cells)).toBe(1)
	expect(expired('Datetime', `tiered_ttl { ${tier(10, evict)} }`, cells)).toBeUndefined()
	expect(expired('Datetime', '', cells)).toBeUndefined()
	expect(expired('Datetime', 'date_type_column { column_name: "gone" }', cells)).toBeUndefined()
	expect(expired('Double', HOUR, ['double_value: 1', 'double_value: 2'])).toBeUndefined()
	expect(expired('Uint64', 'value_since_unix_epoch { column_name: "at" column_unit: 9 }', cells)).toBeUndefined()
})
