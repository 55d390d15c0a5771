import { BackupError } from '@ydbackup/core'
import type { RestoreFromResult, RestoreResult } from '@ydbackup/engine'
import { printable } from '../output/printable.ts'
import { spellBytes, spellCount, spellDuration, spellRate } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'
import { objectCountsText } from './listed-objects.ts'

/** The result of `restore`: of a backup in a repository, or of what YDB's own tools wrote. */
export type RestoredBackup = (RestoreResult & { readonly repository: string }) | RestoreFromResult

function nameOf(restored: RestoredBackup): string {
	if (!('from' in restored)) return `backup ${restored.id}`
	const { layout, location } = restored.from
	return `the ${layout} in ${printable(location)}`
}

export function restoredBackupText(restored: RestoredBackup): string {
	const { database, dryRun, tables, objects, directories, rows, plainBytes, elapsedMs, problems } = restored
	const secrets = new Set(objects.flatMap((object) => object.secrets))
	if (dryRun) return plannedText(restored)
	const compared = tables.filter((table) => table.isCompared).length
	const lines = [
		problems.length === 0 ? `${nameOf(restored)} is restored` : `${nameOf(restored)} is restored in part`,
		'',
		factsText({
			repository: 'from' in restored ? undefined : restored.repository,
			database,
			method: 'method' in restored && restored.method === 'native' ? "the cluster's own RESTORE" : undefined,
			'written by': 'engine' in restored && restored.engine === 'cluster' ? 'the cluster' : undefined,
			tables: `${spellCount(tables.length)}, ${spellCount(rows)} rows`,
			resumed: resumedText(restored.resumed),
			directories: spellCount(directories.length),
			objects: objectCountsText([
				...objects.filter(({ action }) => action === 'create'),
				...tables.map(({ path, changefeeds }) => ({ path, kind: 'row-table', parts: changefeeds })),
			]),
			secrets:
				secrets.size === 0
					? undefined
					: `${Array.from(secrets).join(', ')}: they are in no backup, see that they exist`,
			accounts: accountsText(restored.accounts),
			size: `${spellBytes(plainBytes)} of data`,
			time: `${spellDuration(elapsedMs)}, ${spellRate((plainBytes / Math.max(1, elapsedMs)) * 1000)}`,
			compared: compared === 0 ? undefined : `${spellCount(compared)} tables read back, every row equal`,
		}),
	]
	return [...lines, ...problemsText(problems)].join('\n')
}

function resumedText(resumed: RestoredBackup['resumed']): string | undefined {
	return resumed && `what was begun ${resumed.startedAt}, with ${spellCount(resumed.parts)} data files that were there`
}

function problemsText(problems: RestoredBackup['problems']): string[] {
	if (problems.length === 0) return []
	const table = tableText(problems, [
		{ title: 'PATH', cell: ({ path }) => path || '(database)' },
		{ title: 'WHAT', cell: ({ message }) => message },
	])
	return ['', 'not restored:', '', table]
}

function plannedText(restored: RestoredBackup): string {
	const { database, tables, objects, directories, problems } = restored
	const sum = (of: readonly (number | undefined)[]): number => of.reduce<number>((all, one = 0) => all + one, 0)
	const planned = [
		...directories.map(({ action, target, path }) => ({ action, kind: 'directory', target, path, rows: '' })),
		...tables.map(({ action, target, path, rows }) => ({
			action,
			kind: 'table',
			target,
			path,
			rows: rows === undefined ? 'unknown' : spellCount(rows),
		})),
		...tables.flatMap(({ changefeeds, target, path }) =>
			changefeeds.map((name) => ({
				action: 'create',
				kind: 'changefeed',
				target: `${target}/${name}`,
				path: `${path}/${name}`,
				rows: '',
			})),
		),
		...objects.map(({ action, kind, target, path }) => ({ action, kind, target, path, rows: '' })),
	]
	const going = resumedText(restored.resumed)
	return [
		`dry run: nothing was written. ${going === undefined ? '' : `It would go on with ${going}. `}A restore of ${nameOf(restored)} into ${printable(database)} would do:`,
		'',
		tableText(planned, [
			{ title: 'ACTION', cell: ({ action }) => action },
			{ title: 'KIND', cell: ({ kind }) => kind },
			{ title: 'ROWS', align: 'right', cell: ({ rows }) => rows },
			{ title: 'TARGET', cell: ({ target }) => target },
			{ title: 'FROM', cell: ({ path }) => path },
		]),
		'',
		`${spellCount(sum(tables.map(({ rows }) => rows)))} rows, ${spellBytes(sum(tables.map(({ plainBytes }) => plainBytes)))} of data`,
		...ttlText(tables),
		...storageText(tables),
		...(restored.accounts ? ['', `accounts: ${accountsText(restored.accounts)}`] : []),
		...problemsText(problems),
	].join('\n')
}

function accountsText(accounts: RestoredBackup['accounts']): string | undefined {
	if (accounts === undefined) return undefined
	const { users, groups, members } = accounts
	const spell = (what: string, all: typeof users): string => {
		const there = all.filter(({ action }) => action === 'exists').map(({ name }) => printable(name))
		const made = all.length - there.length
		return `${made} ${what} created${there.length === 0 ? '' : `, ${there.length} exist (${there.slice(0, 10).join(', ')})`}`
	}
	return `${spell('users', users)}; ${spell('groups', groups)}; ${members} memberships added`
}

function ttlText(tables: RestoredBackup['tables']): string[] {
	const expiring = tables.filter(({ expired }) => expired !== undefined)
	if (expiring.length === 0) return []
	const table = tableText(expiring, [
		{ title: 'TARGET', cell: ({ target }) => target },
		{ title: 'ROWS', align: 'right', cell: ({ rows }) => (rows === undefined ? 'unknown' : spellCount(rows)) },
		{ title: 'EXPIRED', align: 'right', cell: ({ expired = 0 }) => spellCount(expired) },
	])
	return ['', 'rows that a TTL would delete at once (see --ttl):', '', table]
}

function storageText(tables: RestoredBackup['tables']): string[] {
	const asking = tables.filter(({ storage }) => storage.length > 0)
	if (asking.length === 0) return []
	const table = tableText(asking, [
		{ title: 'TARGET', cell: ({ target }) => target },
		{ title: 'STORAGE', cell: ({ storage }) => storage.join(', ') },
	])
	return ['', 'settings of storage that this cluster may not have (see --storage-settings):', '', table]
}

/** All rows are there, and something else is not: exit 9, beside the result. */
export function restoredFailure(restored: RestoredBackup): BackupError | undefined {
	const { outcome, problems } = restored
	if (outcome === 'complete') return undefined
	if ('from' in restored) {
		return new BackupError(
			'PARTIAL',
			`${problems.length} things of ${nameOf(restored)} are not restored as they were`,
			{
				advice: `the first: ${problems[0]?.path || 'the database'}: ${problems[0]?.message}; leave out what is not wanted with --exclude`,
			},
		)
	}
	const { id } = restored
	return new BackupError(
		'PARTIAL',
		`all rows of ${id} are restored, but ${problems.length} other things are not as they were`,
		{
			advice: `the first: ${problems[0]?.path}: ${problems[0]?.message}; the others stand in the result; --exclude and --exclude-kind leave out objects, --no-acl owners and grants, and a table that a backup collection holds on to cannot be altered before that is dropped`,
		},
	)
}
