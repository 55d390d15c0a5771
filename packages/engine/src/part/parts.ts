import type { KeyRange } from '@ydbackup/core'
import type { ManifestFile } from '@ydbackup/format'

import { openScheme, type StoredTable, type TableScheme } from './contents.ts'

/** One data file of a table, with all that is needed to read it. */
export interface StoredPart<T extends StoredTable = StoredTable> {
	readonly table: T
	readonly scheme: TableScheme
	readonly file: ManifestFile
	readonly range: KeyRange
}

/** The parts of tables, one table after the other. A scheme is read when its table's turn comes: there may be very many. */
export function* partsOf<T extends StoredTable>(tables: Iterable<T>): Generator<StoredPart<T>, void, undefined> {
	for (const table of tables) {
		const scheme = openScheme(table)
		for (const [partition, file] of table.parts.entries()) {
			const range = scheme.ranges[partition]
			if (range !== undefined) yield { table, scheme, file, range }
		}
	}
}
