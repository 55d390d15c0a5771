import { type KeyBytes, protoMessage, type ProtoText, type RowChunk, type TableSchema } from '@ydbackup/core'
import { parseProtoText } from '@ydbackup/format'
import {
	chunkFromFrames,
	concatBytes,
	createKeyReader,
	lengthDelimited,
	TAG_ITEMS,
	valueFromText,
} from '@ydbackup/rows'

/** A row of the tests' tables: a number, a text or nothing, a double. */
export type Row = readonly [id: number, name: string | null, weight: number]

export interface Shape {
	/** First keys of all partitions but the first. */
	readonly splits?: readonly number[]
	/** Text of more fields of the CreateTableRequest. */
	readonly settings?: string
}

const COLUMNS = `
columns { name: "id" type { type_id: UINT64 } not_null: true }
columns { name: "name" type { optional_type { item { type_id: UTF8 } } } }
columns { name: "weight" type { optional_type { item { type_id: DOUBLE } } } }
primary_key: "id"`

/** The scheme of a table of the tests, as a server describes it. */
export function schemeOf({ splits = [], settings = '' }: Shape = {}): ProtoText {
	const points = splits.map(
		(id) => `split_points {
			type { tuple_type { elements { optional_type { item { type_id: UINT64 } } } } }
			value { items { uint64_value: ${id} } }
		}`,
	)
	const partitions = points.length === 0 ? '' : `partition_at_keys { ${points.join(' ')} }`
	return parseProtoText(`${COLUMNS}\n${partitions}\n${settings}`, 'scheme of a test')
}

export function permissionsOf(owner: string, ...grants: readonly string[]): ProtoText {
	const actions = grants.map((who) => `actions { grant { subject: "${who}" permission_names: "ydb.generic.read" } }`)
	return parseProtoText(`actions { change_owner: "${owner}" } ${actions.join(' ')}`, 'permissions of a test')
}

/** One row as an item of a list. */
export function rowFrame([id, name, weight]: Row): Uint8Array {
	const cells = [
		`uint64_value: ${id}`,
		name === null ? 'null_flag_value: NULL_VALUE' : `text_value: ${JSON.stringify(name)}`,
		`double_value: ${weight}`,
	]
	const items = cells.map((text) => lengthDelimited(TAG_ITEMS, valueFromText(parseProtoText(text, 'a cell'))))
	return lengthDelimited(TAG_ITEMS, concatBytes(items))
}

export function keyOf(id: number): KeyBytes {
	return lengthDelimited(TAG_ITEMS, valueFromText(parseProtoText(`uint64_value: ${id}`, 'a key')))
}

export function chunkOf(frames: readonly Uint8Array[], schema: TableSchema): RowChunk {
	return chunkFromFrames(concatBytes(frames), frames.length, createKeyReader(schema))
}

/** The frames of a chunk, one for each row, each a copy. */
export function framesOf(bytes: Uint8Array): Uint8Array[] {
	const frames: Uint8Array[] = []
	let at = 0
	while (at < bytes.length) {
		let length = 0
		let shift = 0
		let end = at + 1
		for (;;) {
			const byte = bytes[end++] ?? 0
			length += (byte & 0x7f) * 2 ** shift
			shift += 7
			if (byte < 0x80) break
		}
		frames.push(bytes.slice(at, end + length))
		at = end + length
	}
	return frames
}

/** Rows 0 … count-1, with texts that need quoting and some that are missing. */
export function rowsUpTo(count: number, from = 0): Row[] {
	return Array.from({ length: count }, (_, index): Row => {
		const id = from + index
		return [id, id % 7 === 3 ? null : `row "${id}", ключ\n${'x'.repeat(id % 50)}`, id / 3]
	})
}

export function field(tree: ProtoText, ...names: readonly string[]): ProtoText {
	return names.reduce((at, name) => protoMessage(at, name), tree)
}
