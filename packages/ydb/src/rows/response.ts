import { fromBinary } from '@bufbuild/protobuf'
import { ReadTableResponseSchema } from '@ydbjs/api/table'
import { findField, readVarint, type Span, skipField, varintEnd } from '@ydbackup/rows'
import { refusalError, SUCCESS } from '../call/failure.ts'

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
