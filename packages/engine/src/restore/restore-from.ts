import { BackupError } from '@ydbackup/core'

import { createKindFilter } from '../choose/kind-filter.ts'
import { readDumpAccounts } from '../accounts/dump-accounts.ts'
import { openAccounts } from '../accounts/stored-accounts.ts'
import { createMapping } from '../choose/path-mapping.ts'
import { createSelection } from '../choose/selection.ts'
import type { Reporter } from '../events/reporter.ts'
import { inspectForeign } from '../foreign/inspect-foreign.ts'
import { type Foreign, openForeign } from '../foreign/open-foreign.ts'
import { errorOf } from '../part/finding.ts'
import type { Contents } from './contents.ts'
import { restoreContents } from './restore-contents.ts'
import type { RestoreFromOptions, RestoreFromResult } from './restore-options.ts'
import { chooseRestore } from './restore-plan.ts'

/**
 * Restores what YDB's own tools wrote: a directory of `ydb tools dump`, or an export by the cluster, found out by what lies there. It goes
 * the same way as {@link restore}, but less can be checked before: such files have no counts and often no hashes. Rows are counted as they
 * are read and compared with the server's count. What the files hold and this version cannot restore is named in `problems`.
 *
 * Paths in `include`, `exclude` and `map` are relative to the root of what was written; absolute ones are read as paths of the target's database.
 * Errors: those of {@link restore}, also about keys; `BACKUP_NOT_FOUND`, `FORMAT_INVALID`, `UNSUPPORTED`.
 */
export async function restoreFrom(options: RestoreFromOptions): Promise<RestoreFromResult> {
	const { location } = options.storage
	let layout: Foreign['layout'] = 'dump'
	const outcome = await restoreContents(options, location, async (reporter) => {
		reporter.phase('check', `looking at what lies at ${location}`)
		const foreign = await openForeign({ ...options, withAccounts: options.accounts !== undefined })
		layout = foreign.layout
		return openContents(foreign, options, reporter)
	})
	return { from: { layout, location }, ...outcome }
}

async function openContents(foreign: Foreign, options: RestoreFromOptions, reporter: Reporter): Promise<Contents> {
	const { storage, sink } = options
	const selection = createSelection({ include: options.include, exclude: options.exclude }, sink.database)
	const mapping = createMapping(options, sink.database, sink.database)
	const kinds = createKindFilter(options)
	const found = await inspectForeign(foreign, selection, kinds, {
		files: foreign.files,
		sink,
		layout: foreign.layout,
		rows: options.schemeOnly !== true,
		schemes: options.dataOnly !== true,
		changefeeds: kinds.takes('changefeed'),
		rights: options.noAcl !== true && options.dataOnly !== true,
		signal: options.signal,
	})
	const fatal = found.findings.filter((finding) => finding.severity === 'data' || options.acceptNativeDamage !== true)
	if (fatal.length > 0) throw errorOf(fatal, storage.location)
	for (const { message, path } of [...found.findings, ...found.warnings]) reporter.warn(message, path)

	const accounts = options.accounts === undefined ? undefined : await readDumpAccounts(foreign.files, options.signal)
	const objects = [
		...found.directories.map(({ path }) => ({ path, kind: 'directory' as const })),
		...found.tables.map(({ object, prefix }) => ({ ...object, prefix })),
		...found.objects.map(({ path, kind }) => ({ path, kind, prefix: path })),
	]
	// Where all that was chosen is of kinds that are not restored, the result says so.
	const isNothing =
		found.tables.length + found.objects.length === 0 && !found.directories.some(({ path }) => selection.takes(path))
	if (isNothing && found.problems.length === 0 && accounts === undefined) {
		throw new BackupError('PATH_NOT_FOUND', `nothing in ${storage.location} matches`, {
			advice: `it holds ${foreign.objects.length} objects: look at them with a dry run of all`,
		})
	}
	const chosen = isNothing ? [] : objects
	const choice = chooseRestore(storage.location, chosen, selection, mapping, kinds)
	for (const warning of choice.warnings) reporter.warn(warning)
	return {
		title: storage.location,
		storage,
		compression: 'none',
		backups: 1,
		choice,
		tables: found.tables.map((stored) => ({ stored, full: undefined, links: [] })),
		directories: found.directories,
		objects: found.objects,
		source: { database: sink.database, mapping },
		accounts: accounts && openAccounts(accounts, `permissions.pb of ${storage.location}`),
		keysUsed: foreign.files.cipher === undefined ? [] : [foreign.files.cipher.keyId],
		notes: found.notes,
		problems: found.problems.map(({ path, message }) => ({ path: path === '' ? '' : mapping(path), message })),
	}
}
