import { BackupError } from '@ydbackup/core'
import type { CollectGarbageResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellCount } from '../output/quantity.ts'
import { tableText } from '../output/table.ts'

/** The result of `backup gc`. */
export interface CollectedGarbage extends CollectGarbageResult {
	readonly repository: string
}

export function collectedGarbageText({ repository, dryRun, garbage }: CollectedGarbage): string {
	const place = printable(repository)
	if (garbage.length === 0) return `nothing is left over in ${place}`
	const title = dryRun ? `dry run: nothing was removed from ${place}` : `what was left over in ${place}:`
	const list = tableText(garbage, [
		{ title: 'WHAT', cell: ({ kind }) => kind },
		{ title: 'NAME', cell: ({ name }) => printable(name) },
		{ title: 'STATE', cell: ({ state }) => (dryRun && state === 'removed' ? 'would be removed' : state) },
		{ title: 'OBJECTS', align: 'right', cell: ({ objects }) => (objects === 0 ? '' : spellCount(objects)) },
		{ title: 'WHY', cell: ({ reason }) => printable(reason) },
	])
	return [title, '', list].join('\n')
}

/** Something should have gone and could not: exit 9, beside the result. */
export function collectedFailure({ outcome, garbage }: CollectedGarbage): BackupError | undefined {
	if (outcome === 'complete') return undefined
	const failed = garbage.filter(({ state }) => state === 'failed')
	const { kind, name, reason } = failed[0]!
	return new BackupError(
		'PARTIAL',
		`${failed.length} things could not be removed; the first, ${kind} ${name}: ${reason}`,
		{
			advice: 'run it again when the reason is gone',
		},
	)
}
