import { create, toBinary } from '@bufbuild/protobuf'
import { ExecMode, ExecuteQueryRequestSchema, Syntax } from '@ydbjs/api/query'
import type { RowChunk, TableSchema } from '@ydbackup/core'
import { lengthDelimited, listOfStructType, varintLength, writeVarint } from '@ydbackup/rows'
import { quotePath } from '../call/query.ts'

const FIELD_1 = 0x0a
const FIELD_2 = 0x12
const PARAMETERS = 0x32

/** A message around another one: what stands before it, and the tag of the field that holds it. */
interface Level {
	readonly before: Uint8Array
	readonly tag: number
}

/** Rows inside of nested messages, the outermost first, written once into one buffer: rows are most of the bytes that a restore copies. */
function around(levels: readonly Level[], rows: Uint8Array): Uint8Array {
	const sizes: number[] = []
	let size = rows.length
	for (let at = levels.length - 1; at >= 0; at--) {
		sizes[at] = size
		size += levels[at]!.before.length + 1 + varintLength(size)
	}
	const out = Buffer.allocUnsafeSlow(size)
	let p = 0
	for (const [at, { before, tag }] of levels.entries()) {
		out.set(before, p)
		p += before.length
		out[p] = tag
		p = writeVarint(out, p + 1, sizes[at]!)
	}
	out.set(rows, p)
	return out
}

/** `Ydb.TypedValue { type = 1, value = 2 }` of a list of rows: the rows stand in it as they came. */
function typedRows(columns: TableSchema['columns']): Level {
	return { before: lengthDelimited(FIELD_1, listOfStructType({ columns })), tag: FIELD_2 }
}

/** Bytes of `Ydb.Table.BulkUpsertRequest { table = 1, rows = 2 }`. */
export function bulkRequests(path: string, schema: TableSchema): (chunk: RowChunk) => Uint8Array {
	const levels = [{ before: lengthDelimited(FIELD_1, Buffer.from(path)), tag: FIELD_2 }, typedRows(schema.columns)]
	return ({ bytes }) => around(levels, bytes)
}

/** Bytes of an ExecuteQueryRequest that writes whole rows by a statement: for tables that bulk writes are refused for. */
export function statementRequests(
	path: string,
	schema: TableSchema,
): (chunk: RowChunk, sessionId: string) => Uint8Array {
	const request = rowsRequests(`UPSERT INTO ${quotePath(path)} SELECT * FROM AS_TABLE($rows);`, schema.columns)
	return ({ bytes }, sessionId) => request(bytes, sessionId)
}

/** Bytes of an ExecuteQueryRequest, committed by itself, whose parameter `$rows` is a list of structs with these columns. */
export function rowsRequests(
	text: string,
	columns: TableSchema['columns'],
): (rowFrames: Uint8Array, sessionId: string) => Uint8Array {
	const rows = typedRows(columns)
	const name = { before: lengthDelimited(FIELD_1, Buffer.from('$rows')), tag: FIELD_2 }
	return (rowFrames, sessionId) => {
		const head = toBinary(
			ExecuteQueryRequestSchema,
			create(ExecuteQueryRequestSchema, {
				sessionId,
				execMode: ExecMode.EXECUTE,
				txControl: {
					txSelector: { case: 'beginTx', value: { txMode: { case: 'serializableReadWrite', value: {} } } },
					commitTx: true,
				},
				query: { case: 'queryContent', value: { syntax: Syntax.YQL_V1, text } },
			}),
		)
		return around([{ before: head, tag: PARAMETERS }, name, rows], rowFrames)
	}
}
