import type { BackupEntry, ChainPlace } from '@ydbackup/catalog'
import { printable } from '../output/printable.ts'
import { spellAge, spellBytes, spellCount, spellTime } from '../output/quantity.ts'
import { tableText } from '../output/table.ts'
import { type BackupSummary, labelsText, rowsText, summaryOf } from './backup-summary.ts'
import { type ListedRun, listedRunText } from './listed-run.ts'

export type ListedBackup =
	| ({ readonly state: 'complete'; readonly chain: Omit<ChainPlace, 'id'> } & BackupSummary)
	/** Its manifest cannot be read. It is shown, never hidden. */
	| {
			readonly state: 'damaged'
			readonly id: string
			readonly error: { readonly code: string; readonly message: string }
	  }

/** The result of `backup list`. */
export interface ListedBackups {
	readonly repository: string
	/** Newest last. */
	readonly backups: readonly ListedBackup[]
	readonly unfinished: readonly ListedRun[]
}

export function listedBackup(
	entry: BackupEntry,
	{ root, position, children }: ChainPlace,
	proven: Date | undefined,
): ListedBackup {
	const chain = { root, position, children }
	if (entry.manifest !== undefined) return { state: 'complete', ...summaryOf(entry.manifest, proven), chain }
	const { code, message } = entry.error
	return { state: 'damaged', id: entry.id, error: { code, message } }
}

export function listedBackupsText({ repository, backups, unfinished }: ListedBackups, now: Date): string {
	const age = (time: string): string => spellAge(now.getTime() - Date.parse(time))
	const lines: string[] = []
	if (backups.length === 0) lines.push(`no backups in ${repository}`)
	else {
		const whole =
			<T>(read: (backup: BackupSummary) => T) =>
			(backup: ListedBackup) =>
				backup.state === 'complete' ? String(read(backup)) : ''
		lines.push(
			tableText(backups, [
				{ title: 'ID', cell: ({ id }) => id },
				{ title: 'TAKEN', cell: whole((backup) => spellTime(backup.snapshotBefore)) },
				{ title: 'AGE', align: 'right', cell: whole((backup) => age(backup.snapshotBefore)) },
				{ title: 'KIND', cell: whole((backup) => backup.kind) },
				...(backups.some((backup) => backup.state === 'complete' && backup.parent !== undefined)
					? [{ title: 'CHAIN', cell: chainText }]
					: []),
				{ title: 'DATABASE', cell: whole((backup) => backup.database) },
				{ title: 'TABLES', align: 'right', cell: whole((backup) => spellCount(backup.counts.tables)) },
				{ title: 'ROWS', align: 'right', cell: whole((backup) => rowsText(backup.counts.rows)) },
				{
					title: 'SIZE',
					align: 'right',
					cell: whole(({ counts }) => (counts.plainBytes === undefined ? '' : spellBytes(counts.plainBytes))),
				},
				{ title: 'STORED', align: 'right', cell: whole((backup) => spellBytes(backup.counts.storedBytes)) },
				{ title: 'STATE', cell: ({ state }) => state },
				...(backups.some((backup) => backup.state === 'complete' && backup.provenAt !== undefined)
					? [
							{
								title: 'PROVEN',
								cell: whole(({ provenAt }) => (provenAt === undefined ? 'never' : `${age(provenAt)} ago`)),
							},
						]
					: []),
				{ title: 'LABELS', cell: whole((backup) => labelsText(backup.labels) ?? '') },
			]),
		)
	}
	for (const backup of backups)
		if (backup.state === 'damaged')
			lines.push('', `${backup.id}: ${printable(backup.error.message)} (${backup.error.code})`)
	for (const run of unfinished) lines.push('', listedRunText(run, now))
	return lines.join('\n')
}

/** `k3f9 +2`: the second increment upon the full backup whose id ends in k3f9. */
function chainText(backup: ListedBackup): string {
	if (backup.state !== 'complete') return ''
	const { root, position, children } = backup.chain
	if (root === undefined) return `broken: no ${backup.parent ?? 'parent'}`
	if (position === 0 && children.length === 0) return ''
	return `${root.slice(root.lastIndexOf('-') + 1)} +${position}`
}
