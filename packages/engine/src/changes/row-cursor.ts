import { BackupError, type KeyBytes, type RowChunk, type TableSchema } from '@ydbackup/core'
import { createKeyReader, readVarint, TAG_ITEMS, varintEnd } from '@ydbackup/rows'

/** The rows of a stream of chunks, one at a time, as places in bytes: nothing is copied but keys that are asked for. */
export interface RowCursor extends AsyncDisposable {
	/** Goes to the next row; false behind the last one. */
	next(): Promise<boolean>
	readonly bytes: Uint8Array
	/** Payload of the row in {@link bytes}. */
	readonly start: number
	readonly end: number
	/** The key of the row, read once per row. */
	key(): KeyBytes
}

export function openRows(schema: TableSchema, chunks: AsyncIterable<RowChunk>): RowCursor {
	const keys = createKeyReader(schema)
	const iterator = chunks[Symbol.asyncIterator]()
	let bytes: Uint8Array = new Uint8Array()
	let start = 0
	let end = 0
	let key: KeyBytes | undefined

	return {
		async next() {
			key = undefined
			while (end >= bytes.length) {
				const { done, value } = await iterator.next()
				if (done === true) {
					start = end
					return false
				}
				bytes = value.bytes
				end = 0
			}
			if (bytes[end] !== TAG_ITEMS)
				throw new BackupError('FORMAT_INVALID', 'something else than a row lies between rows')
			const length = readVarint(bytes, end + 1, bytes.length)
			start = varintEnd
			end = start + length
			if (end > bytes.length) throw new BackupError('FORMAT_INVALID', 'the last row of a chunk is cut off')
			return true
		},
		get bytes() {
			return bytes
		},
		get start() {
			return start
		},
		get end() {
			return end
		},
		key: () => (key ??= keys.read(bytes, start, end)),
		async [Symbol.asyncDispose]() {
			await iterator.return?.()
		},
	}
}
