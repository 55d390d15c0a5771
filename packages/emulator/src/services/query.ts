// The smallest part of the query service that a backup needs. Everything else is UNSUPPORTED by name.
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type ExecuteQueryRequest, ExecuteQueryResponsePartSchema } from '@ydbjs/api/query'
import { ResultSetSchema, Type_PrimitiveTypeId as Id, TypeSchema } from '@ydbjs/api/value'
import { STATUS, YdbError } from '../error.ts'
import type { SchemeTree } from '../scheme/tree.ts'

type Part = MessageInitShape<typeof ExecuteQueryResponsePartSchema>

export function executeQuery(tree: SchemeTree, request: ExecuteQueryRequest): Uint8Array {
	if (request.query.case !== 'queryContent') throw new YdbError('BAD_REQUEST', 'the request has no query')
	const text = request.query.value.text.trim().replace(/;$/, '')
	const one = (name: string, id: Id, value: bigint): Part => ({
		status: STATUS.SUCCESS,
		resultSet: create(ResultSetSchema, {
			columns: [{ name, type: create(TypeSchema, { type: { case: 'typeId', value: id } }) }],
			rows: [{ items: [{ value: { case: 'uint64Value', value } }] }],
		}),
	})
	const encode = (part: Part): Uint8Array =>
		toBinary(ExecuteQueryResponsePartSchema, create(ExecuteQueryResponsePartSchema, part))
	const count = /^SELECT\s+COUNT\(\*\)\s+(?:AS\s+`?(\w+)`?\s+)?FROM\s+`((?:[^`\\]|\\.)+)`$/i.exec(text)
	if (count) {
		const table = tree.table(count[2]!.replace(/\\(.)/g, '$1'))
		return encode(one(count[1] ?? 'column0', Id.UINT64, BigInt(table.rows.count)))
	}
	const now = /^SELECT\s+CurrentUtcTimestamp\(\)(?:\s+AS\s+`?(\w+)`?)?$/i.exec(text)
	if (now) return encode(one(now[1] ?? 'column0', Id.TIMESTAMP, BigInt(Date.now()) * 1000n))
	throw new YdbError('UNSUPPORTED', `this statement is not emulated yet: ${text.slice(0, 200)}`)
}
