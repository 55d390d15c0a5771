import type { TakeLinkResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellCount, spellDuration } from '../output/quantity.ts'
import { factsText } from '../output/table.ts'
import { type ShippedCollection, shippedCollectionText } from './shipped-collection.ts'

/** The result of `collection backup`. */
export interface BackedUpCollection extends TakeLinkResult {
	/** What became of the links, where a repository was given. */
	readonly shipped?: ShippedCollection
}

export function backedUpCollectionText({
	collection,
	database,
	link,
	kind,
	tables,
	elapsedMs,
	shipped,
}: BackedUpCollection): string {
	const what = kind === 'full' ? 'a full backup' : 'an increment'
	const facts = factsText({
		link,
		database,
		tables: spellCount(tables.length),
		time: spellDuration(elapsedMs),
	})
	const after =
		shipped === undefined
			? `it is in the cluster only; to take it out: ydbackup collection ship ${printable(collection)}`
			: shippedCollectionText(shipped)
	return [`${what} of ${printable(collection)} was taken`, '', facts, '', after].join('\n')
}
