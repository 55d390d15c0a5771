import {
	bareType,
	protoFields,
	protoMessage,
	protoString,
	type ProtoText,
	type RowChunk,
	type TableSchema,
} from '@ydbackup/core'
import { createKeyReader, readVarint, TAG_ITEMS, valueToText, varintEnd } from '@ydbackup/rows'

/** When rows of a table are deleted. */
export interface TtlRule {
	readonly column: string
	/** After the moment that the column tells. */
	readonly afterSeconds: number
	/** Of the column's numbers in one second. */
	readonly perSecond: number
}

const PER_SECOND: Readonly<Record<string, number>> = {
	Date: 1 / 86_400,
	Date32: 1 / 86_400,
	Datetime: 1,
	Datetime64: 1,
	Timestamp: 1e6,
	Timestamp64: 1e6,
	UNIT_SECONDS: 1,
	UNIT_MILLISECONDS: 1e3,
	UNIT_MICROSECONDS: 1e6,
	UNIT_NANOSECONDS: 1e9,
}

/** The rule by which `TtlSettings` delete; undefined when they delete nothing, or in a way that this version does not know. */
export function ttlRule(settings: ProtoText, schema: TableSchema): TtlRule | undefined {
	const tiers = protoFields(protoMessage(settings, 'tiered_ttl'), 'tiers').map((tier) =>
		tier.kind === 'message' ? tier.fields : [],
	)
	const deleting = tiers.find((tier) => tier.some(({ name }) => name === 'delete'))
	return ruleOf(deleting ?? settings, schema)
}

function ruleOf(from: ProtoText, schema: TableSchema): TtlRule | undefined {
	const date = protoMessage(from, 'date_type_column')
	const number = protoMessage(from, 'value_since_unix_epoch')
	const mode = date.length > 0 ? date : number
	const column = protoString(mode, 'column_name')
	const type = bareType(schema.columns.find(({ name }) => name === column)?.type ?? { kind: 'unknown', spelling: '' })
	const unit = date.length > 0 && type.kind === 'primitive' ? type.name : (protoString(number, 'column_unit') ?? '')
	const perSecond = PER_SECOND[unit]
	if (column === undefined || perSecond === undefined) return undefined
	return { column, afterSeconds: Number(protoString(mode, 'expire_after_seconds') ?? 0), perSecond }
}

/** Counts the rows of a chunk that are deleted by a moment, in milliseconds since 1970. A row without a value in the column stays. */
export function expiredCounter(rule: TtlRule, schema: TableSchema, moment: number): (chunk: RowChunk) => number {
	const cells = createKeyReader({ columns: schema.columns, primaryKey: [rule.column] })
	const last = (moment / 1000 - rule.afterSeconds) * rule.perSecond
	return ({ bytes }) => {
		let expired = 0
		for (let at = 0; at < bytes.length;) {
			const length = readVarint(bytes, at + 1, bytes.length)
			const start = varintEnd
			at = start + length
			const value = numberIn(cells.read(bytes, start, at))
			if (value !== undefined && value <= last) expired++
		}
		return expired
	}
}

/** The number in the one cell of a key: DyNumber is text. */
function numberIn(key: Uint8Array): number | undefined {
	if (key[0] !== TAG_ITEMS) return undefined
	const [item] = valueToText(key)
	const [value] = item?.value.kind === 'message' ? item.value.fields : []
	if (value === undefined || value.name === 'null_flag_value') return undefined
	const number = Number(value.value.kind === 'scalar' ? value.value.text : decode(value.value))
	return Number.isFinite(number) ? number : undefined
}

const decode = (value: ProtoText[number]['value']): string =>
	value.kind === 'bytes' ? Buffer.from(value.bytes).toString() : ''
