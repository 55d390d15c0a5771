import { BackupError } from '@ydbackup/core'
import type { ShippedLinkResult, ShipResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellBytes, spellCount, spellDuration } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** The result of `collection ship`. */
export interface ShippedCollection extends ShipResult {
	readonly repository: string
}

/** The newest backup that a run has opened or made. */
export const newestBackup = ({ links }: ShipResult): string => links.findLast(({ id }) => id !== undefined)?.id ?? ''

const isNew = ({ state }: ShippedLinkResult): boolean => state === 'shipped' || state === 'planned'

export function shippedCollectionText(shipped: ShippedCollection): string {
	const { collection, repository, database, dryRun, links, elapsedMs } = shipped
	const added = links.filter(isNew)
	const name = printable(collection)
	const title = dryRun
		? `dry run: nothing was shipped. Of ${name} ${spellCount(added.length)} links would be:`
		: added.length === 0
			? `no link of ${name} was shipped`
			: `${spellCount(added.length)} links of ${name} were shipped`
	const list = tableText(links, [
		{ title: 'LINK', cell: ({ link }) => printable(link) },
		{ title: 'STATE', cell: ({ state, suspects }) => (suspects.length > 0 ? `${state}, suspect` : state) },
		{ title: 'BACKUP', cell: ({ id }) => id ?? '' },
		{ title: 'ROWS', align: 'right', cell: (link) => (link.state === 'shipped' ? spellCount(link.rows) : '') },
		{ title: 'STORED', align: 'right', cell: (link) => (link.state === 'shipped' ? spellBytes(link.storedBytes) : '') },
	])
	const facts = factsText({
		repository,
		database,
		links: `${spellCount(links.length)} in the cluster`,
		time: spellDuration(elapsedMs),
	})
	const why = links.flatMap(({ link, reason, suspects }) => [
		...(reason ? [`${printable(link)}: ${printable(reason.message)}`] : []),
		...suspects.map(({ path, reason: doubt }) => `${printable(link)}: ${printable(path)}: ${printable(doubt)}`),
	])
	return [title, '', facts, ...(links.length > 0 ? ['', list] : []), ...(why.length > 0 ? ['', ...why] : [])].join('\n')
}

/** What is not in the repository as it should be: exit 9, beside the result. */
export function shippedFailure({ collection, outcome, links }: ShippedCollection): BackupError | undefined {
	if (outcome === 'complete') return undefined
	const count = (found: (link: ShippedLinkResult) => boolean): number => links.filter(found).length
	const parts = [
		[count(({ state }) => state === 'refused'), 'refused'],
		[count(({ state }) => state === 'running'), 'still being written by the server'],
		[count(({ suspects }) => suspects.length > 0), 'suspect'],
	].flatMap(([number, what]) => (number === 0 ? [] : [`${number} ${what}`]))
	const isWaiting = links.every(({ state, suspects }) => state !== 'refused' && suspects.length === 0)
	return new BackupError(
		'PARTIAL',
		`not every link of ${collection} was shipped as it should be: ${parts.join(', ')}`,
		{
			...(isWaiting && { retry: 'later' as const }),
			advice: isWaiting
				? 'ship again when the server has finished'
				: (links.find(({ reason }) => reason)?.reason?.advice ?? 'take a full backup of the collection'),
		},
	)
}
