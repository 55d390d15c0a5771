import { BackupError } from '@ydbackup/core'
import type { PruneCollectionResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellCount, spellDuration } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** The result of `collection prune`. */
export interface PrunedCollection extends PruneCollectionResult {
	readonly repository: string
}

export function prunedCollectionText({
	collection,
	repository,
	database,
	dryRun,
	chains,
	elapsedMs,
}: PrunedCollection): string {
	const dropped = chains.filter(({ state }) => state === 'dropped').length
	const name = printable(collection)
	const title = dryRun
		? `dry run: nothing was dropped. Of ${name} ${spellCount(dropped)} chains would be:`
		: `${spellCount(dropped)} chains of ${name} were dropped in the cluster`
	const list = tableText(chains, [
		{ title: 'CHAIN', cell: ({ links }) => printable(links[0] ?? '') },
		{ title: 'LINKS', align: 'right', cell: ({ links }) => spellCount(links.length) },
		{ title: 'STATE', cell: ({ state }) => state },
		{ title: 'WHY', cell: ({ reason }) => printable(reason ?? '') },
	])
	const facts = factsText({ repository, database, time: spellDuration(elapsedMs) })
	return [title, '', facts, ...(chains.length > 0 ? ['', list] : [])].join('\n')
}

/** A chain that should go had to stay: exit 9, beside the result. */
export function prunedFailure({ collection, outcome, chains }: PrunedCollection): BackupError | undefined {
	if (outcome === 'complete') return undefined
	const refused = chains.filter(({ state }) => state === 'refused')
	return new BackupError(
		'PARTIAL',
		`${refused.length} old chains of ${collection} had to stay in the cluster; the first: ${refused[0]!.reason}`,
		{ advice: `run collection ship ${collection}, and backup verify for what does not pass` },
	)
}
