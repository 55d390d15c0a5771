import type { CreateCollectionResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellCount } from '../output/quantity.ts'
import { factsText } from '../output/table.ts'

export function createdCollectionText({ collection, database, tables, isIncremental }: CreateCollectionResult): string {
	const name = printable(collection)
	const facts = factsText({
		database,
		tables: `${spellCount(tables.length)}: ${tables.slice(0, 5).join(', ')}${tables.length > 5 ? ', …' : ''}`,
		increments: isIncremental ? 'yes' : 'no',
	})
	return [`the backup collection ${name} was created`, '', facts, '', `next: ydbackup collection backup ${name}`].join(
		'\n',
	)
}
