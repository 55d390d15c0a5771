import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { CreateTableRequestSchema } from '@ydbjs/api/table'
import { TypedValueSchema, type TypeSchema, ValueSchema } from '@ydbjs/api/value'
import { PRIMITIVE_TYPES, type PrimitiveName, type ProtoText, type RowChunk, type TableSchema } from '@ydbackup/core'
import { chunkFromFrames, concatBytes, createKeyReader, lengthDelimited, TAG_ITEMS } from '@ydbackup/rows'
import { toProtoText } from '../../src/proto/message-text.ts'

export type TypeInit = MessageInitShape<typeof TypeSchema>
export type ValueInit = MessageInitShape<typeof ValueSchema>
type TableInit = MessageInitShape<typeof CreateTableRequestSchema>

export const primitive = (name: PrimitiveName): TypeInit => ({
	type: { case: 'typeId', value: PRIMITIVE_TYPES[name].id },
})
export const optional = (item: TypeInit): TypeInit => ({ type: { case: 'optionalType', value: { item } } })

export const uint64 = (value: number | bigint): ValueInit => ({ value: { case: 'uint64Value', value: BigInt(value) } })
export const text = (value: string): ValueInit => ({ value: { case: 'textValue', value } })
export const NULL: ValueInit = { value: { case: 'nullFlagValue', value: 0 } }

/** One row as an item of a list, by the official schema. */
export function rowFrame(cells: readonly ValueInit[]): Uint8Array {
	return lengthDelimited(TAG_ITEMS, toBinary(ValueSchema, create(ValueSchema, { items: [...cells] })))
}

export function keyOf(...cells: readonly ValueInit[]): Uint8Array {
	return toBinary(ValueSchema, create(ValueSchema, { items: [...cells] }))
}

/** The scheme of a table, as the engine would give it. */
export function schemeOf(init: TableInit): ProtoText {
	return toProtoText(CreateTableRequestSchema, create(CreateTableRequestSchema, init))
}

export function splitAt(...keys: readonly number[]): NonNullable<TableInit['partitions']> {
	const tuple: TypeInit = {
		type: { case: 'tupleType', value: { elements: [optional(primitive('Uint64'))] } },
	}
	const splitPoints = keys.map((key) =>
		create(TypedValueSchema, { type: tuple, value: { items: [uint64(key)] } } as MessageInitShape<
			typeof TypedValueSchema
		>),
	)
	return { case: 'partitionAtKeys', value: { splitPoints } }
}

/** A number as key, and a text. */
export const PLAIN: Pick<TableInit, 'columns' | 'primaryKey'> = {
	columns: [
		{ name: 'id', type: primitive('Uint64'), notNull: true },
		{ name: 'value', type: optional(primitive('Utf8')) },
	],
	primaryKey: ['id'],
}

export const PLAIN_SCHEMA: TableSchema = {
	columns: [
		{ name: 'id', type: { kind: 'primitive', name: 'Uint64' } },
		{ name: 'value', type: { kind: 'optional', item: { kind: 'primitive', name: 'Utf8' } } },
	],
	primaryKey: ['id'],
}

/** Rows of {@link PLAIN} with keys from `from` to before `to`. */
export function plainRows(from: number, to: number, value = (id: number): string => `value of ${id}`): Uint8Array[] {
	return Array.from({ length: to - from }, (_, at) => rowFrame([uint64(from + at), text(value(from + at))]))
}

export function chunkOf(frames: readonly Uint8Array[], schema: TableSchema = PLAIN_SCHEMA): RowChunk {
	return chunkFromFrames(concatBytes(frames), frames.length, createKeyReader(schema))
}
