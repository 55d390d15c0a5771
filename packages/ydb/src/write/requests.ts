import { create, toBinary } from '@bufbuild/protobuf'
import { ExecMode, ExecuteQueryRequestSchema, Syntax } from '@ydbjs/api/query'
import type { RowChunk, TableSchema } from '@ydbackup/core'
import { concatBytes, lengthDelimited, listOfStructType } from '@ydbackup/rows'
import { quotePath } from '../call/query.ts'

const FIELD_1 = 0x0a
const FIELD_2 = 0x12

/** `Ydb.TypedValue` of a list of rows, spliced: the rows stand in it as they came. */
function typedRows(listType: Uint8Array, rows: readonly Uint8Array[]): Uint8Array {
	return concatBytes([lengthDelimited(FIELD_1, listType), lengthDelimited(FIELD_2, concatBytes(rows))])
}

/** Bytes of `Ydb.Table.BulkUpsertRequest { table = 1, rows = 2 }`. */
export function bulkRequests(path: string, schema: TableSchema): (chunk: RowChunk) => Uint8Array {
	const table = lengthDelimited(FIELD_1, Buffer.from(path))
	const listType = listOfStructType(schema)
	return ({ bytes }) => concatBytes([table, lengthDelimited(FIELD_2, typedRows(listType, [bytes]))])
}

const PARAMETERS = 0x32

/** Bytes of an ExecuteQueryRequest that replaces whole rows by a statement: for tables that bulk writes are refused for. */
export function statementRequests(
	path: string,
	schema: TableSchema,
): (chunk: RowChunk, sessionId: string) => Uint8Array {
	const listType = listOfStructType(schema)
	const text = `UPSERT INTO ${quotePath(path)} SELECT * FROM AS_TABLE($rows);`
	return ({ bytes }, sessionId) => {
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
		const entry = concatBytes([
			lengthDelimited(FIELD_1, Buffer.from('$rows')),
			lengthDelimited(FIELD_2, typedRows(listType, [bytes])),
		])
		return concatBytes([head, lengthDelimited(PARAMETERS, entry)])
	}
}
