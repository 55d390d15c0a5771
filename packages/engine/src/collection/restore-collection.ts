import {
	BackupError,
	type CallOptions,
	type CollectionAdmin,
	type CollectionSource,
	interruption,
	type SnapshotSink,
	throwIfInterrupted,
} from '@ydbackup/core'

import type { EventHandler } from '../events/event.ts'
import { createReporter, type Warning } from '../events/reporter.ts'
import { checkMembers } from './collection-link.ts'
import { followRestore, RESTORE_WAIT_MS } from './follow-restore.ts'

export interface RestoreCollectionOptions {
	readonly admin: CollectionAdmin
	readonly sink: Pick<SnapshotSink, 'find' | 'countRows'>
	readonly name: string
	/** Check everything, and restore nothing. */
	readonly dryRun?: boolean | undefined
	/** How long the server may take. Default: a day. */
	readonly waitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
}

export interface RestoreCollectionResult {
	readonly collection: string
	readonly database: string
	readonly dryRun: boolean
	/** The newest full backup, and every increment behind it: what the server put together. */
	readonly links: readonly string[]
	/** `rows` as the server counts them afterwards; absent in a dry run. */
	readonly tables: readonly { readonly path: string; readonly rows?: number | undefined }[]
	readonly warnings: readonly Warning[]
	readonly elapsedMs: number
}

/**
 * Lets the server restore the newest chain of a collection that stands in the cluster, and follows it to its true end. What the server would
 * not notice is refused before: a link without the change table of a member, one that failed or is still being written.
 *
 * Errors: `PATH_NOT_FOUND`, `PATH_EXISTS` naming tables that are in the way, `CHAIN_BROKEN`, `DATABASE_REFUSED`; `DEADLINE_EXCEEDED` and
 * `INTERRUPTED`, after which the server goes on.
 */
export async function restoreCollection(options: RestoreCollectionOptions): Promise<RestoreCollectionResult> {
	const startedAt = performance.now()
	const { admin, sink, signal, dryRun = false, waitMs = RESTORE_WAIT_MS } = options
	const reporter = createReporter(options.onEvent)
	const source = admin.open(options.name)
	let hasBegun = false
	try {
		reporter.phase('check', `looking at the links of ${source.name}`)
		throwIfInterrupted(signal, `restoring ${source.name}`)
		const { links, paths } = await newestChain(source, { signal })
		await assertFree(sink, paths, { signal })
		const tables: { path: string; rows?: number }[] = paths.map((path) => ({ path }))
		if (!dryRun) {
			const begun = await admin.restore(source.name, { signal })
			hasBegun = true
			await followRestore(source.name, begun, { waitMs, signal, reporter })
			for (const table of tables) {
				if ((await sink.find(table.path, { signal })) === undefined) throw missing(source.name, table.path)
				table.rows = Number(await sink.countRows(table.path, { signal }))
			}
			reporter.warn(
				'RESTORE does not bring back owners, grants and changefeeds, and the next increment needs a full backup before it',
			)
		}
		return {
			collection: source.name,
			database: source.database,
			dryRun,
			links,
			tables,
			warnings: reporter.warnings,
			elapsedMs: Math.round(performance.now() - startedAt),
		}
	} catch (error) {
		if (signal?.aborted !== true) throw error
		const { message } = interruption(signal, `restoring ${source.name}`)
		throw new BackupError('INTERRUPTED', message, {
			cause: error,
			advice: hasBegun
				? 'the server goes on, and cannot be stopped: ydb operation list restore says when it is done'
				: 'nothing was begun; run it again',
		})
	}
}

function missing(name: string, path: string): BackupError {
	return new BackupError('DATA_MISMATCH', `RESTORE of ${name} has succeeded, and ${path} is not there`, {
		advice: 'report this; ship the collection and restore the link with ydbackup restore',
	})
}

/** The links that RESTORE puts together, whole. It would pass over a change table that is missing. */
async function newestChain(
	source: CollectionSource,
	options: CallOptions,
): Promise<{ readonly links: readonly string[]; readonly paths: readonly string[] }> {
	const all = await source.links(options)
	const chain = all.slice(
		Math.max(
			0,
			all.findLastIndex(({ kind }) => kind === 'full'),
		),
	)
	const [full] = chain
	if (full?.kind !== 'full')
		throw new BackupError('CHAIN_BROKEN', `${source.name} has no full backup in the cluster`, {
			reason: 'gap',
			advice: 'there is nothing to restore here; a link that was shipped is restored with ydbackup restore',
		})
	let members: readonly string[] | undefined
	for (const link of chain) {
		const progress = await source.progress(link, options)
		if (progress !== 'complete')
			throw new BackupError(
				'CHAIN_BROKEN',
				progress === 'running' ? `the server is still writing ${link.name}` : `the server could not write ${link.name}`,
				progress === 'running'
					? { reason: 'gap', retry: 'later', advice: 'wait until it is done: collection show says when' }
					: {
							reason: 'gap',
							advice: 'RESTORE would use what is there of it; ship the collection and restore the link before it',
						},
			)
		const paths = (await source.contents(link, options)).tables.map(({ path }) => path)
		if (members !== undefined) checkMembers(link, paths, members)
		members ??= paths
	}
	return { links: chain.map(({ name }) => name), paths: members ?? [] }
}

async function assertFree(
	sink: Pick<SnapshotSink, 'find'>,
	paths: readonly string[],
	options: CallOptions,
): Promise<void> {
	const taken: string[] = []
	for (const path of paths) if ((await sink.find(path, options)) !== undefined) taken.push(path)
	if (taken.length === 0) return
	throw new BackupError('PATH_EXISTS', `in the way of RESTORE: ${taken.slice(0, 20).join(', ')}`, {
		advice:
			'it brings tables back to their own paths alone: drop or rename these, or ship the link and use ydbackup restore --to',
	})
}
