import type { BackupResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellBytes, spellCount, spellDuration, spellRate, spellTime } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'
import { encryptionText } from './backup-summary.ts'

/** The result of `backup create`. */
export interface CreatedBackup extends Omit<BackupResult, 'manifest' | 'id' | 'encryption' | 'keysUsed'> {
	readonly encryption?: { readonly algorithm: string; readonly keyId: string }
	/** Absent in a dry run. */
	readonly id?: string
	readonly repository: string
	readonly snapshotAfter?: string
	readonly snapshotBefore?: string
	readonly readBack?: string
}

export function createdBackup(result: BackupResult, repository: string): CreatedBackup {
	const { manifest, id, encryption, keysUsed: _, ...rest } = result
	return {
		...(id === undefined ? {} : { id }),
		repository,
		...rest,
		...(encryption && { encryption }),
		...(manifest && {
			snapshotAfter: manifest.snapshotAfter,
			snapshotBefore: manifest.snapshotBefore,
			readBack: manifest.readBack,
		}),
	}
}

export function createdBackupText(created: CreatedBackup): string {
	if (created.dryRun) return plannedText(created)
	const { id, repository, database, tables, directories, notes, rows, plainBytes, storedBytes, elapsedMs } = created
	return [
		`backup ${id} is complete`,
		'',
		factsText({
			repository,
			database,
			snapshot: `taken before ${spellTime(created.snapshotBefore ?? '')}`,
			tables: `${spellCount(tables.length)}, ${spellCount(rows)} rows`,
			directories: spellCount(directories.length),
			size: `${spellBytes(plainBytes)} of data, ${spellBytes(storedBytes)} stored`,
			time: `${spellDuration(elapsedMs)}, ${spellRate((plainBytes / Math.max(1, elapsedMs)) * 1000)}`,
			encrypted: encryptionText(created.encryption),
			'read back': created.readBack === 'done' ? 'yes' : 'no: the store does not allow it',
			'left out': notes.length === 0 ? undefined : `${spellCount(notes.length)} objects, see the warnings`,
		}),
	].join('\n')
}

function plannedText({ database, tables, directories, notes }: CreatedBackup): string {
	const taken = [
		...tables.map(({ path }) => ({ path, kind: 'table' })),
		...directories.map((path) => ({ path, kind: 'directory' })),
	]
	const lines = [`dry run: nothing was written. A backup of ${printable(database)} would take:`, '']
	lines.push(
		tableText(taken, [
			{ title: 'KIND', cell: ({ kind }) => kind },
			{ title: 'PATH', cell: ({ path }) => path },
		]),
	)
	if (notes.length > 0) lines.push('', 'and leave out:', '', notesText(notes))
	return lines.join('\n')
}

export function notesText(notes: BackupResult['notes']): string {
	return tableText(notes, [
		{ title: 'KIND', cell: ({ kind }) => kind },
		{ title: 'PATH', cell: ({ path }) => path || '(database)' },
		{ title: 'WHY', cell: ({ reason }) => reason },
	])
}
