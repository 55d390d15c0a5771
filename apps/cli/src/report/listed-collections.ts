import type { ListedCollection } from '@ydbackup/engine'
import { spellCount, spellTime } from '../output/quantity.ts'
import { tableText } from '../output/table.ts'

/** The result of `collection list`. */
export interface ListedCollections {
	readonly database: string
	readonly collections: readonly ListedCollection[]
}

export function listedCollectionsText({ database, collections }: ListedCollections): string {
	if (collections.length === 0) return `no backup collections in ${database}`
	return tableText(collections, [
		{ title: 'NAME', cell: ({ name }) => name },
		{ title: 'FULL', align: 'right', cell: ({ fulls }) => spellCount(fulls) },
		{ title: 'INCREMENTS', align: 'right', cell: ({ increments }) => spellCount(increments) },
		{ title: 'NEWEST', cell: ({ newest }) => newest?.name ?? '' },
		{ title: 'TAKEN BY', cell: ({ newest }) => (newest === undefined ? '' : spellTime(newest.before)) },
	])
}
