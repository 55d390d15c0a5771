import { bareType, BackupError, type Column, type KeyBytes, type TableSchema, type YdbType } from '@ydbackup/core'
import { canonicalUuid } from './canonical.ts'
import { after, concatBytes, copyBytes, malformed, readVarint, TAG_ITEMS } from './wire.ts'

export interface KeyReader {
	/** The key of the row whose payload is [start, end): a copy, so that it does not keep the row alive. */
	read(b: Uint8Array, start: number, end: number): KeyBytes
}

/** The key columns' types, in key order. Throws `FORMAT_INVALID` when a key column is not among the columns. */
export function keyTypes(schema: TableSchema): YdbType[] {
	return keyColumns(schema).map((index) => schema.columns[index]!.type)
}

/** Indexes of the key columns among all columns, in key order. */
export function keyColumns(schema: TableSchema): number[] {
	const indexes = new Map(schema.columns.map((column: Column, index) => [column.name, index]))
	const found = schema.primaryKey.map((name) => {
		const index = indexes.get(name)
		if (index === undefined) {
			throw new BackupError('FORMAT_INVALID', `the table's key column "${name}" is not among its columns`, {
				advice: 'the scheme file is damaged or incomplete',
			})
		}
		return index
	})
	if (found.length === 0) throw new BackupError('FORMAT_INVALID', 'the table has no key column')
	return found
}

/** Reads the key out of a row. Uuids that ReadTable spells as bytes are turned to the spelling that requests need. */
export function createKeyReader(schema: TableSchema): KeyReader {
	const columns = keyColumns(schema)
	const uuids = columns.map((index) => isUuid(schema.columns[index]!.type))
	const needed = Math.max(...columns) + 1
	const inOrder = columns.every((index, position) => index === position)
	const plain = inOrder && !uuids.includes(true)
	const starts = new Int32Array(needed)
	const ends = new Int32Array(needed)
	return {
		read(b, start, end) {
			let p = start
			for (let column = 0; column < needed; column++) {
				if (p >= end || b[p] !== TAG_ITEMS) throw malformed(`a row has fewer than ${needed} cells`)
				starts[column] = p
				const length = readVarint(b, p + 1, end)
				p = after + length
				if (p > end) throw malformed('a cell is longer than its row')
				ends[column] = p
			}
			if (plain) return copyBytes(b, start, p)
			return concatBytes(
				columns.map((column, position) => {
					const cell = b.subarray(starts[column]!, ends[column]!)
					return uuids[position] ? canonicalUuid(cell) : cell
				}),
			)
		},
	}
}

function isUuid(type: YdbType): boolean {
	const bare = bareType(type)
	return bare.kind === 'primitive' && bare.name === 'Uuid'
}
