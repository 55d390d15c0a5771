import { BackupError, type KeyBytes, type KeyRange, type RowChunk, type TableSchema } from '@ydbackup/core'
import { createKeyComparator, createKeyReader, isInRange, keyTypes, showKey, type Span, takeRows } from '@ydbackup/rows'
import { createRiseCheck } from './rising.ts'

/** Takes the rows of a message, which must rise from row to row, lie behind `last`, and in the range. Undefined when there are none. */
export type RowTaker = (message: Uint8Array, resultSet: Span, last: KeyBytes | undefined) => RowChunk | undefined

/** `isEachChecked`: false where only chunks must rise. Errors of what it makes: `ROWS_OUT_OF_ORDER` naming the table and the key. */
export function createRowTaker(path: string, schema: TableSchema, range: KeyRange, isEachChecked = true): RowTaker {
	const key = createKeyReader(schema)
	const types = keyTypes(schema)
	const compare = createKeyComparator(types)
	const findFall = createRiseCheck(schema)
	const outOfOrder = (at: KeyBytes, why: string): BackupError =>
		new BackupError('ROWS_OUT_OF_ORDER', `table ${path} yields key ${showKey(at, types)} ${why}`, {
			advice: 'this backup cannot be trusted and was stopped; report it with the version of the server',
		})
	return (message, resultSet, last) => {
		const chunk = takeRows(message, resultSet, key)
		if (!chunk) return undefined
		if (last && compare(last, chunk.firstKey) >= 0) throw outOfOrder(chunk.firstKey, `after ${showKey(last, types)}`)
		const fall = isEachChecked ? findFall(chunk.bytes) : undefined
		if (fall) throw outOfOrder(key.read(chunk.bytes, fall.start, fall.end), 'not after the key of the row before it')
		for (const at of [chunk.firstKey, chunk.lastKey])
			if (!isInRange(at, range, compare)) throw outOfOrder(at, 'outside of the range that was asked for')
		return chunk
	}
}
