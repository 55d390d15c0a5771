import { BackupError, isBackupError, type RowChunk } from '@ydbackup/core'
import type { KeyReader } from './key-reader.ts'
import { after, malformed, readVarint, skipField, type Span, TAG_ITEMS, TAG_ROWS } from './wire.ts'

/**
 * Makes a chunk of the rows of a `Ydb.ResultSet` that lies inside `message`, for example inside a ReadTableResponse.
 *
 * The tag of each row is overwritten IN PLACE (rows 0x12 → items 0x62) and the chunk shares the message's memory: the caller gives
 * the message up. Columns and other fields before or behind the rows are ignored; YDB sets `truncated` in every part of a
 * ReadTable stream, so it says nothing. Undefined when there is no row. Throws `DATABASE_REFUSED` when the bytes are broken, or
 * when rows do not lie side by side.
 */
export function takeRows(message: Uint8Array, resultSet: Span, key: KeyReader): RowChunk | undefined {
	try {
		return retagRows(message, resultSet, key)
	} catch (error) {
		if (!isBackupError(error, 'FORMAT_INVALID')) throw error
		throw new BackupError('DATABASE_REFUSED', `the database sent rows that cannot be read: ${error.message}`, {
			retry: 'later',
			advice: 'read again; when it happens again, something between the database and this program changes bytes',
			cause: error,
		})
	}
}

function retagRows(b: Uint8Array, { start, end }: Span, key: KeyReader): RowChunk | undefined {
	if (start < 0 || end > b.length) throw malformed('the result set is longer than its message')
	let first = -1
	let firstPayload = 0
	let lastPayload = 0
	let behind = -1
	let rows = 0
	let p = start
	while (p < end) {
		if (b[p] !== TAG_ROWS) {
			const tag = readVarint(b, p, end)
			p = skipField(b, after, end, tag)
			continue
		}
		if (rows > 0 && p !== behind) throw malformed('rows do not lie side by side')
		const length = readVarint(b, p + 1, end)
		if (after + length > end) throw malformed('a row is longer than its message')
		b[p] = TAG_ITEMS
		if (rows++ === 0) {
			first = p
			firstPayload = after
		}
		lastPayload = after
		p = behind = after + length
	}
	if (rows === 0) return undefined
	const bytes = b.subarray(first, behind)
	return {
		bytes,
		rows,
		firstKey: key.read(b, firstPayload, rows === 1 ? behind : endOfRow(b, first, behind)),
		lastKey: key.read(b, lastPayload, behind),
	}
}

function endOfRow(b: Uint8Array, p: number, end: number): number {
	const length = readVarint(b, p + 1, end)
	return after + length
}

/**
 * A chunk of row frames (tag 0x62) that lie side by side in `bytes`, which holds nothing else. Throws `FORMAT_INVALID` when that is
 * not so or when there are not `rows` of them.
 */
export function chunkFromFrames(bytes: Uint8Array, rows: number, key: KeyReader): RowChunk {
	let p = 0
	let count = 0
	let firstStart = 0
	let firstEnd = 0
	let lastStart = 0
	while (p < bytes.length) {
		if (bytes[p] !== TAG_ITEMS) throw malformed('something else than a row lies between rows')
		const length = readVarint(bytes, p + 1, bytes.length)
		lastStart = after
		p = after + length
		if (p > bytes.length) throw malformed('the last row is cut off')
		if (count++ === 0) {
			firstStart = lastStart
			firstEnd = p
		}
	}
	if (count !== rows || count === 0) throw malformed(`${count} rows where ${rows} were expected`)
	return {
		bytes,
		rows,
		firstKey: key.read(bytes, firstStart, firstEnd),
		lastKey: key.read(bytes, lastStart, bytes.length),
	}
}
