import { BackupError } from '@ydbackup/core'
import type { RestoreResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellBytes, spellCount, spellDuration, spellRate } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** The result of `restore`. */
export interface RestoredBackup extends RestoreResult {
	readonly repository: string
}

export function restoredBackupText(restored: RestoredBackup): string {
	const { id, database, repository, dryRun, tables, directories, rows, plainBytes, elapsedMs, problems } = restored
	if (dryRun) return plannedText(restored)
	const compared = tables.filter((table) => table.isCompared).length
	const lines = [
		problems.length === 0 ? `backup ${id} is restored` : `backup ${id} is restored in part`,
		'',
		factsText({
			repository,
			database,
			tables: `${spellCount(tables.length)}, ${spellCount(rows)} rows`,
			directories: spellCount(directories.length),
			size: `${spellBytes(plainBytes)} of data`,
			time: `${spellDuration(elapsedMs)}, ${spellRate((plainBytes / Math.max(1, elapsedMs)) * 1000)}`,
			compared: compared === 0 ? undefined : `${spellCount(compared)} tables read back, every row equal`,
		}),
	]
	if (problems.length > 0)
		lines.push(
			'',
			'not restored:',
			'',
			tableText(problems, [
				{ title: 'PATH', cell: ({ path }) => path },
				{ title: 'WHAT', cell: ({ message }) => message },
			]),
		)
	return lines.join('\n')
}

function plannedText({ id, database, tables, directories, rows, plainBytes }: RestoredBackup): string {
	const planned = [
		...directories.map(({ action, target, path }) => ({ action, kind: 'directory', target, path, rows: '' })),
		...tables.map(({ action, target, path, rows }) => ({
			action,
			kind: 'table',
			target,
			path,
			rows: spellCount(rows),
		})),
	]
	return [
		`dry run: nothing was written. A restore of ${id} into ${printable(database)} would do:`,
		'',
		tableText(planned, [
			{ title: 'ACTION', cell: ({ action }) => action },
			{ title: 'KIND', cell: ({ kind }) => kind },
			{ title: 'ROWS', align: 'right', cell: ({ rows }) => rows },
			{ title: 'TARGET', cell: ({ target }) => target },
			{ title: 'FROM', cell: ({ path }) => path },
		]),
		'',
		`${spellCount(rows)} rows, ${spellBytes(plainBytes)} of data`,
	].join('\n')
}

/** All rows are there, and something else is not: exit 9, beside the result. */
export function restoredFailure({ id, outcome, problems }: RestoredBackup): BackupError | undefined {
	if (outcome === 'complete') return undefined
	return new BackupError('PARTIAL', `all rows of ${id} are restored, but ${problems.length} owners or grants are not`, {
		advice: `the first: ${problems[0]?.path}: ${problems[0]?.message}; set them by hand, or restore with --no-acl`,
	})
}
