import type { KeyRange } from '@ydbackup/core'

import { openScheme, type PartFile, type StoredTable, type TableScheme } from './contents.ts'

/** One data file of a table, with all that is needed to read it. */
export interface StoredPart<T extends StoredTable = StoredTable> {
	readonly table: T
	readonly scheme: TableScheme
	readonly file: PartFile
	/** Undefined where rows of any key may lie in any file. */
	readonly range: KeyRange | undefined
}

/** The parts of tables, one table after the other. A scheme is read when its table's turn comes: there may be very many. */
export function* partsOf<T extends StoredTable>(tables: Iterable<T>): Generator<StoredPart<T>, void, undefined> {
	for (const table of tables) {
		const scheme = openScheme(table)
		for (const [partition, file] of table.parts.entries()) {
			const range = table.foreign === undefined ? scheme.ranges[partition] : undefined
			if (range !== undefined || table.foreign !== undefined) yield { table, scheme, file, range }
		}
	}
}
