import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { OperationSchema } from '@ydbjs/api/operation'
import { CreateTableRequestSchema, TableServiceDefinition as Table } from '@ydbjs/api/table'
import { type TypeSchema, TypedValueSchema, Type_PrimitiveTypeId as Id, ValueSchema } from '@ydbjs/api/value'
import type { WireClient } from './wire-client.ts'

const primitive = (id: Id): MessageInitShape<typeof TypeSchema> => ({ type: { case: 'typeId', value: id } })
const optional = (id: Id): MessageInitShape<typeof TypeSchema> => ({
	type: { case: 'optionalType', value: { item: primitive(id) } },
})
const COLUMNS = [
	{ name: 'id', type: primitive(Id.UINT64) },
	{ name: 'name', type: optional(Id.UTF8) },
	{ name: 'at', type: optional(Id.TIMESTAMP) },
	{ name: 'amount', type: optional(Id.INT64) },
	{ name: 'flag', type: optional(Id.BOOL) },
	{ name: 'body', type: optional(Id.STRING) },
]
/** Bytes of a row with its tag and length. */
export const ROW_BYTES = 200

/** Field 1 of a response is its operation. */
export function checked(response: Buffer): void {
	const { status, issues } = fromBinary(OperationSchema, field(response))
	if (status !== 400_000) throw new Error(`status ${status}: ${issues.map(({ message }) => message).join('; ')}`)
}

function field(response: Buffer): Buffer {
	let at = 1
	while (response[at]! > 127) at++
	return response.subarray(at + 1)
}

function framed(tag: number, body: Uint8Array): Buffer {
	const head = [tag]
	for (let rest = body.length; ; rest >>>= 7) {
		head.push(rest > 127 ? (rest & 127) | 128 : rest)
		if (rest <= 127) break
	}
	return Buffer.concat([Buffer.from(head), body])
}

export async function createTable(wire: WireClient, path: string): Promise<void> {
	const request = create(CreateTableRequestSchema, { path, columns: COLUMNS, primaryKey: ['id'] } as never)
	checked(await wire.unary(Table.createTable.path, [toBinary(CreateTableRequestSchema, request)]))
}

function row(text: number): Buffer {
	const items = [
		{ case: 'uint64Value' as const, value: 0n },
		{ case: 'textValue' as const, value: 'the name of a row, as names are' },
		{ case: 'uint64Value' as const, value: 1_700_000_000_000_000n },
		{ case: 'int64Value' as const, value: -12_345n },
		{ case: 'boolValue' as const, value: true },
		{ case: 'bytesValue' as const, value: Buffer.alloc(text, 'body') },
	]
	return framed(0x62, toBinary(ValueSchema, create(ValueSchema, { items: items.map((value) => ({ value })) } as never)))
}

/** Where the key's eight bytes stand in a row: behind its tag, its length (two bytes), the cell's tag and length, and the value's tag. */
const KEY_AT = 6

/** Pieces of a BulkUpsert request whose rows have these keys. */
export function upsertOf(path: string): (ids: readonly bigint[] | BigUint64Array) => Buffer[] {
	const template = row(ROW_BYTES - row(100).length + 100)
	if (template.length !== ROW_BYTES) throw new Error(`a row has ${template.length} bytes`)
	const type = framed(
		0x0a,
		toBinary(
			TypedValueSchema,
			create(TypedValueSchema, {
				type: {
					type: { case: 'listType', value: { item: { type: { case: 'structType', value: { members: COLUMNS } } } } },
				},
			} as never),
		),
	).subarray(2)
	const typeBytes = type[0] === 0x0a ? type : framed(0x0a, type)
	return (ids) => {
		const rows = Buffer.alloc(ids.length * ROW_BYTES, template)
		for (let at = 0; at < ids.length; at++) rows.writeBigUInt64LE(ids[at]!, at * ROW_BYTES + KEY_AT)
		const value = framed(0x12, rows)
		const head = framed(0x12, Buffer.concat([typeBytes, value]))
		return [framed(0x0a, Buffer.from(path)), head]
	}
}
