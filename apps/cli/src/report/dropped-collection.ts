import type { DropCollectionResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { tableText } from '../output/table.ts'

/** The result of `collection drop`. */
export interface DroppedCollection extends DropCollectionResult {
	readonly repository?: string
}

export function droppedCollectionText({ collection, dryRun, links }: DroppedCollection): string {
	const name = printable(collection)
	const title = dryRun ? `dry run: nothing was dropped. With ${name} would go:` : `${name} was dropped`
	const list = tableText(links, [
		{ title: 'LINK', cell: ({ link }) => link },
		{ title: 'BACKUP', cell: ({ backup }) => backup ?? 'in no repository' },
	])
	return links.length === 0 ? (dryRun ? `${title} no backup` : title) : [title, '', list].join('\n')
}
