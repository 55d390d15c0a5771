import { fromBinary } from '@bufbuild/protobuf'
import { ExecuteQueryResponsePartSchema } from '@ydbjs/api/query'
import { ReadTableResponseSchema } from '@ydbjs/api/table'
import { BackupError } from '@ydbackup/core'
import { findField, readVarint, type Span, skipField, varintEnd } from '@ydbackup/rows'
import { QUERY_ISSUES, refusalError, SUCCESS } from '../call/failure.ts'

const RESULT = 0x1a
const RESULT_SET = 0x0a

function statusOf(bytes: Uint8Array): number {
	for (let at = 0; at < bytes.length;) {
		const tag = readVarint(bytes, at, bytes.length)
		if (tag === 0x08) return readVarint(bytes, varintEnd, bytes.length)
		at = skipField(bytes, varintEnd, bytes.length, tag)
	}
	return 0
}

/** Where the result set lies in a ReadTableResponse. Throws when the message is a refusal; undefined when it has no rows to offer. */
export function resultSetOf(bytes: Uint8Array, doing: string): Span | undefined {
	const status = statusOf(bytes)
	if (status !== SUCCESS)
		throw refusalError({ status, issues: fromBinary(ReadTableResponseSchema, bytes).issues }, doing)
	const result = findField(bytes, { start: 0, end: bytes.length }, RESULT)
	return result && findField(bytes, result, RESULT_SET)
}

/** `Ydb.Query.ExecuteQueryResponsePart.result_set`, and what `Ydb.ResultSet` has beside the rows. */
const PART_RESULT_SET = 0x22
const COLUMN = 0x0a
const COLUMN_NAME = 0x0a
const TRUNCATED = 0x18

export interface QueryPart {
	readonly resultSet: Span
	/** Whether rows were left out behind these. */
	readonly isTruncated: boolean
}

/**
 * Where the rows lie in an ExecuteQueryResponsePart. Throws when the message is a refusal, and `DATABASE_REFUSED` when the columns are not
 * those that were asked for, in their order; undefined when it has no rows to offer.
 */
export function queryPartOf(bytes: Uint8Array, columns: readonly string[], doing: string): QueryPart | undefined {
	const status = statusOf(bytes)
	if (status !== SUCCESS)
		throw refusalError(
			{ status, issues: fromBinary(ExecuteQueryResponsePartSchema, bytes).issues },
			doing,
			QUERY_ISSUES,
		)
	const resultSet = findField(bytes, { start: 0, end: bytes.length }, PART_RESULT_SET)
	if (!resultSet) return undefined
	const names: string[] = []
	let isTruncated = false
	for (let at = resultSet.start; at < resultSet.end;) {
		const tag = readVarint(bytes, at, resultSet.end)
		const start = varintEnd
		at = skipField(bytes, start, resultSet.end, tag)
		if (tag === TRUNCATED) isTruncated = readVarint(bytes, start, resultSet.end) !== 0
		if (tag !== COLUMN) continue
		const length = readVarint(bytes, start, resultSet.end)
		const column = { start: varintEnd, end: varintEnd + length }
		const name = findField(bytes, column, COLUMN_NAME)
		names.push(name ? Buffer.from(bytes.subarray(name.start, name.end)).toString() : '')
	}
	// Only the first part of an answer must name them.
	if (names.length > 0 && (names.length !== columns.length || names.some((name, at) => name !== columns[at])))
		throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: the columns came in another order: ${names.join(', ')}`)
	return { resultSet, isTruncated }
}
