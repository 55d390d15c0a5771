import { readChain } from '@ydbackup/catalog'
import { BackupError, interruption, isBackupError, throwIfInterrupted } from '@ydbackup/core'
import { dumpLayout, parseProtoText, printProtoText } from '@ydbackup/format'

import { assertAccounts, writeDatabaseFiles } from '../accounts/dump-accounts.ts'
import type { Note } from '../backup/backup-plan.ts'
import { openChosen } from '../chain/open-chosen.ts'
import { createKindFilter } from '../choose/kind-filter.ts'
import { createSelection } from '../choose/selection.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { keysOf, openBackups } from '../encryption/open-backup.ts'
import { createMeter } from '../events/meter.ts'
import { createReporter } from '../events/reporter.ts'
import { STALL_LIMIT_MS, watchStalls } from '../events/stall-watch.ts'
import { chooseConcurrency, mergeConcurrency } from '../flow/concurrency.ts'
import { runAll } from '../flow/run-all.ts'
import { openScheme } from '../part/contents.ts'
import { chooseRestore } from '../restore/restore-plan.ts'
import { dumpScheme, planDump, warningsOf } from './dump-plan.ts'
import type { DumpTarget, ExportDumpOptions, ExportDumpResult, ExportedTable } from './export-options.ts'
import { lostInDump, writeDumpObject } from './write-dump-object.ts'
import { writeDumpTable } from './write-dump-table.ts'

/** `FILE_SPLIT_THRESHOLD` of ydb/library/backup/backup.cpp. */
const FILE_BYTES = 128 << 20

/**
 * Writes a backup, or what is chosen of it, as a directory of `ydb tools dump`, which `ydb tools restore` takes. Of an increment the state at
 * its end is written. The directory holds `incomplete` until all of it is durable: YDB's own restore refuses it before. After a failure or a
 * stop it stays as it is, with its `incomplete`.
 *
 * Errors: `BACKUP_NOT_FOUND`, `PATH_NOT_FOUND`, `OBJECT_MISSING`, `OBJECT_DAMAGED`, `CHAIN_BROKEN`; `STORAGE_ALREADY_EXISTS` for a directory that
 * holds anything; `UNSUPPORTED` for names that a dump cannot hold; `INTERRUPTED`.
 */
export async function exportDump(options: ExportDumpOptions): Promise<ExportDumpResult> {
	const startedAt = performance.now()
	const { repository, target, signal } = options
	const { storage } = repository
	const reporter = createReporter(options.onEvent)
	let hasBegun = false
	try {
		throwIfInterrupted(signal, 'starting the export')
		const stored = await readChain(repository, options.id, { signal })
		const keyring = createKeyring(options.keys ?? [], signal)
		const backups = await openBackups(storage, stored, keyring, signal)
		const { manifest } = backups.at(-1)!
		const selection = createSelection(options, manifest.source.database)
		const choice = chooseRestore(
			`backup ${manifest.id}`,
			manifest.objects,
			selection,
			(path) => path,
			createKindFilter(options),
		)
		for (const warning of choice.warnings) reporter.warn(warning)
		const plan = planDump(choice)
		const chain = await openChosen({ storage, backups, choice, acceptNativeDamage: true, reporter, signal })
		const rights = new Map(chain.directories.map(({ path, permissionsText }) => [path, permissionsText]))
		const notes: Note[] = [...manifest.notes]
		for (const { stored } of chain.tables) {
			const { scheme, schema } = openScheme(stored)
			const { leftOut } = dumpScheme(scheme, true)
			notes.push(...leftOut.map((reason) => ({ path: stored.path, kind: 'row-table', reason })))
			for (const warning of warningsOf(scheme, schema)) reporter.warn(warning, stored.path)
		}

		for (const object of chain.objects) {
			notes.push(...lostInDump(object).map((reason) => ({ path: object.path, kind: object.kind, reason })))
		}

		const accounts = options.database === true ? assertAccounts(manifest.id, chain.accounts) : undefined
		await target.prepare()
		hasBegun = true
		await target.writeFile(dumpLayout.INCOMPLETE, [])
		if (accounts) notes.push(...(await writeDatabaseFiles(target, manifest.source.database, accounts)))
		reporter.phase('directories', `creating ${plan.directories.length} directories`)
		for (const path of plan.directories) {
			throwIfInterrupted(signal, `writing ${path}`)
			await target.makeDirectory(path)
			await target.writeFile(`${path}/${dumpLayout.INCOMPLETE}`, [])
		}

		const meter = createMeter(reporter.emit, chain.tables.length)
		meter.expect({
			rows: chain.tables.reduce((sum, { stored }) => sum + stored.rows, 0),
			bytes: chain.tables.reduce((sum, { stored }) => sum + stored.plainBytes, 0),
		})
		reporter.phase('data', `writing ${chain.tables.length} tables`)
		const tables: ExportedTable[] = []
		{
			const limitMs = options.stallLimitMs ?? STALL_LIMIT_MS
			using stalls = watchStalls({ signal, meter, emit: reporter.emit, limitMs })
			const atOnce = mergeConcurrency(chooseConcurrency(options.concurrency, storage), backups.length)
			await runAll(chain.tables, atOnce, stalls.signal, async (table, stop) => {
				using _ = { [Symbol.dispose]: stalls.enter(table.stored.path) }
				const written = await writeDumpTable(table, {
					storage,
					compression: manifest.compression,
					target,
					withChangefeeds: choice.changefeeds,
					preservePoolKinds: options.preservePoolKinds === true,
					fileBytes: options.fileBytes ?? FILE_BYTES,
					meter,
					signal: stop,
				})
				tables.push(written)
			})
			meter.report()
		}
		const { database } = manifest.source
		if (chain.objects.length > 0)
			reporter.phase('objects', `writing ${chain.objects.length} objects that are no tables`)
		for (const object of chain.objects) {
			throwIfInterrupted(signal, `writing ${object.path}`)
			await writeDumpObject(object, target, { database, root: database })
		}
		for (const path of plan.directories.toReversed()) {
			await finishDirectory(target, path, rights.get(path), plan.empty.has(path))
		}
		await target.removeFile(dumpLayout.INCOMPLETE)
		return {
			id: manifest.id,
			layout: 'dump',
			location: target.location,
			tables: tables.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
			objects: chain.objects.map(({ path, kind }) => ({ path, kind })),
			directories: plan.directories,
			keysUsed: keysOf(stored),
			notes,
			warnings: reporter.warnings,
			rows: tables.reduce((sum, { rows }) => sum + rows, 0),
			bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
			elapsedMs: Math.round(performance.now() - startedAt),
		}
	} catch (error) {
		const isStopped = signal?.aborted === true
		const failure = isStopped && !isBackupError(error) ? interruption(signal, `exporting ${options.id}`) : error
		throw hasBegun ? withRemains(failure, target) : failure
	}
}

async function finishDirectory(
	target: DumpTarget,
	path: string,
	permissions: string | undefined,
	isEmpty: boolean,
): Promise<void> {
	if (isEmpty) await target.writeFile(`${path}/${dumpLayout.EMPTY_DIRECTORY}`, [])
	if (permissions !== undefined) {
		const tree = parseProtoText(permissions, `objects.json (${path})`)
		await target.writeFile(`${path}/${dumpLayout.PERMISSIONS}`, [Buffer.from(printProtoText(tree))])
	}
	await target.removeFile(`${path}/${dumpLayout.INCOMPLETE}`)
}

/** The directory is not ours to remove: somebody may have put something there meanwhile. */
function withRemains(error: unknown, { location }: DumpTarget): unknown {
	if (!isBackupError(error)) return error
	const left = `${location} is left unfinished, and marked so that nothing restores it: remove it before the next try`
	return new BackupError(error.code, error.message, {
		retry: error.retry,
		advice: error.advice === undefined ? left : `${error.advice}; ${left}`,
		...(error.reason === undefined ? {} : { reason: error.reason }),
		cause: error,
	})
}
