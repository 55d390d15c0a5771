import type { BackupResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellBytes, spellCount, spellDuration, spellRate, spellTime } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'
import { objectCountsText } from './listed-objects.ts'
import { encryptionText } from './backup-summary.ts'

/** The result of `backup create`. */
export interface CreatedBackup extends Omit<BackupResult, 'manifest' | 'id' | 'encryption' | 'keysUsed'> {
	readonly encryption?: { readonly algorithm: string; readonly keyId: string }
	/** Absent in a dry run. */
	readonly id?: string
	readonly repository: string
	/** Who read the tables. */
	readonly engine: 'client' | 'cluster'
	/** Why, where it was chosen. */
	readonly engineReason?: string
	/** Of a dry run: the copies of its tables would stay. */
	readonly keepCopy?: boolean
	readonly snapshotAfter?: string
	readonly snapshotBefore?: string
	readonly readBack?: string
}

export function createdBackup(
	result: BackupResult,
	{
		repository,
		engine,
		reason,
		keepCopy = false,
	}: {
		readonly keepCopy?: boolean
		readonly repository: string
		readonly engine: CreatedBackup['engine']
		readonly reason?: string | undefined
	},
): CreatedBackup {
	const { manifest, id, encryption, keysUsed: _, ...rest } = result
	return {
		...(id === undefined ? {} : { id }),
		repository,
		engine,
		...(reason !== undefined && { engineReason: reason }),
		...rest,
		...(encryption && { encryption }),
		...(rest.dryRun && keepCopy && { keepCopy }),
		...(manifest && {
			snapshotAfter: manifest.snapshotAfter,
			snapshotBefore: manifest.snapshotBefore,
			readBack: manifest.readBack,
		}),
	}
}

export function createdBackupText(created: CreatedBackup): string {
	if (created.dryRun) return plannedText(created)
	const { id, repository, database, tables, objects, directories, notes, rows, plainBytes, storedBytes, elapsedMs } =
		created
	const { engine, engineReason: why } = created
	return [
		`backup ${id} is complete`,
		'',
		factsText({
			repository,
			database,
			snapshot: `taken before ${spellTime(created.snapshotBefore ?? '')}`,
			'taken by': engineText(engine, why),
			tables: `${spellCount(tables.length)}, ${rows === undefined ? 'rows not counted' : `${spellCount(rows)} rows`}`,
			directories: spellCount(directories.length),
			'read live': objectCountsText(objects),
			accounts: created.accounts && `${created.accounts.users} users, ${created.accounts.groups} groups`,
			size: `${plainBytes === undefined ? '' : `${spellBytes(plainBytes)} of data, `}${spellBytes(storedBytes)} stored`,
			time: `${spellDuration(elapsedMs)}, ${spellRate(((plainBytes ?? storedBytes) / Math.max(1, elapsedMs)) * 1000)}`,
			proof: rows === undefined ? `none yet: ydbackup backup verify ${id} --level full reads and counts it` : undefined,
			encrypted: encryptionText(created.encryption),
			'compared with': comparedText(created),
			'copy kept': created.keptCopy && `${printable(created.keptCopy)}, for the next increment`,
			'read back': created.readBack === 'done' ? 'yes' : 'no: the store does not allow it',
			'left out': notes.length === 0 ? undefined : `${spellCount(notes.length)} things, see the warnings`,
		}),
	].join('\n')
}

/** Of an increment: what it is against, where that was not the repository alone. */
function comparedText({ fromCopy = 0, tables }: CreatedBackup): string | undefined {
	if (fromCopy === 0) return undefined
	const rest = fromCopy === tables.length ? '' : `, and with the repository for ${spellCount(tables.length - fromCopy)}`
	return `the copy that its parent kept, for ${spellCount(fromCopy)} tables${rest}`
}

function engineText(engine: CreatedBackup['engine'], why: string | undefined): string {
	const who = engine === 'cluster' ? 'the cluster' : 'this process'
	return why === undefined ? who : `${who}: ${why}`
}

function plannedText({ database, tables, objects, directories, notes, keepCopy, ...by }: CreatedBackup): string {
	const { engine, engineReason } = by
	const taken = [
		...tables.map(({ path }) => ({ path, kind: 'table' })),
		...objects,
		...directories.map((path) => ({ path: path || '(database)', kind: 'directory' })),
	]
	const lines = [`dry run: nothing was written. A backup of ${printable(database)} would take:`, '']
	if (engine === 'cluster' || engineReason !== undefined)
		lines.unshift(`taken by ${engineText(engine, engineReason)}`, '')
	lines.push(
		tableText(taken, [
			{ title: 'KIND', cell: ({ kind }) => kind },
			{ title: 'PATH', cell: ({ path }) => path },
		]),
	)
	if (keepCopy === true)
		lines.push('', 'Copies of the row tables would stay in the database. They take space as the tables change.')
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
