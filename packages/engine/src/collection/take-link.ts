import {
	BackupError,
	type CollectionAdmin,
	type CollectionLink,
	type CollectionSource,
	interruption,
	isBackupError,
	throwIfInterrupted,
} from '@ydbackup/core'

import type { EventHandler } from '../events/event.ts'
import { createReporter, type Reporter, type Warning } from '../events/reporter.ts'
import { sleep } from '../flow/sleep.ts'
import { chainState, type ChainState } from './chain-state.ts'
import { checkMembers } from './collection-link.ts'
import { settled } from './settled.ts'

export interface TakeLinkOptions {
	readonly admin: CollectionAdmin
	/** The bare name of the collection. */
	readonly name: string
	readonly kind: CollectionLink['kind']
	/** Take a full backup when the chain cannot take an increment. */
	readonly fullIfNeeded?: boolean | undefined
	/** For how long the streams behind increments keep changes. Default 24. */
	readonly streamHours?: number | undefined
	/** How long the server may take to write the link. Default 60 minutes. */
	readonly waitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
}

export interface TakeLinkResult {
	readonly collection: string
	readonly database: string
	readonly link: string
	readonly kind: CollectionLink['kind']
	/** Why it is a full backup although an increment was asked for. */
	readonly reason?: string | undefined
	/** Relative to the database. */
	readonly tables: readonly string[]
	readonly warnings: readonly Warning[]
	readonly elapsedMs: number
}

const WAIT_MS = 60 * 60_000
/** Names of links are seconds: two in one second collide. */
const SECOND_MS = 1_100
const TRIES = 3

/**
 * Takes a backup of a collection inside the cluster and follows it to its end: the server answers before an increment is written, and calls a
 * failed one done. It resolves when every table of the link is there. Nothing is shipped.
 *
 * Errors: `CHAIN_BROKEN` when the chain cannot take an increment, or the link is not whole; `PATH_NOT_FOUND`, `DATABASE_REFUSED`;
 * `DEADLINE_EXCEEDED` when the server is not done in time, which it may be later.
 */
export async function takeLink(options: TakeLinkOptions): Promise<TakeLinkResult> {
	const startedAt = performance.now()
	const { admin, signal } = options
	const reporter = createReporter(options.onEvent)
	const source = admin.open(options.name)
	try {
		throwIfInterrupted(signal, `backing up ${source.name}`)
		reporter.phase('check', `looking at the links of ${source.name}`)
		const before = await chainState(source, options)
		const obstacle = options.kind === 'incremental' ? before.obstacle : undefined
		if (obstacle !== undefined && options.fullIfNeeded !== true) throw obstacle
		let reason = obstacle?.message
		let link: CollectionLink
		try {
			link = await take(options, source, before, reason === undefined ? options.kind : 'full', reporter)
		} catch (error) {
			// The server says it with the status of any bad request, and its words are not to be relied upon.
			if (!isRefused(error) || options.kind === 'full' || reason !== undefined || options.fullIfNeeded !== true)
				throw error
			reason = error.message
			link = await take(options, source, before, 'full', reporter)
		}
		if (reason !== undefined) reporter.warn(`a full backup was taken instead of an increment: ${reason}`)
		const tables = await check(options, source, before, link, reporter)
		const { name, kind } = link
		return {
			collection: source.name,
			database: source.database,
			link: name,
			kind,
			reason,
			tables,
			warnings: reporter.warnings,
			elapsedMs: Math.round(performance.now() - startedAt),
		}
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, `backing up ${source.name}`)
		throw error
	}
}

const isRefused = (error: unknown): error is BackupError =>
	isBackupError(error, 'DATABASE_REFUSED') && error.retry === 'no'
const isLost = (error: unknown): boolean =>
	isBackupError(error, 'DATABASE_UNREACHABLE') || isBackupError(error, 'DEADLINE_EXCEEDED')

/** Runs the statement and finds the link that it made. */
async function take(
	{ admin, signal }: TakeLinkOptions,
	source: CollectionSource,
	before: ChainState,
	kind: CollectionLink['kind'],
	reporter: Reporter,
): Promise<CollectionLink> {
	const doing = `backing up ${source.name}`
	if (before.streamAgeMs !== undefined && before.streamAgeMs < 60_000) await sleep(SECOND_MS, signal, doing)
	reporter.phase('snapshot', `taking ${kind === 'full' ? 'a full backup' : 'an increment'} of ${source.name}`)
	const known = new Set(before.links.map(({ name }) => name))
	const look = async (): Promise<{ after: readonly CollectionLink[]; made: readonly CollectionLink[] }> => {
		const after = await source.links({ signal })
		return { after, made: after.filter((link) => link.kind === kind && !known.has(link.name)) }
	}
	let lost: unknown
	for (let at = 1; ; at++) {
		try {
			await admin.backup(source.name, kind, { signal })
			break
		} catch (error) {
			if (isLost(error)) lost = error
			// Perhaps somebody else's link has this second. The server says no more, and it did nothing: it may be tried again.
			else if (!isRefused(error) || error.reason !== 'SCHEME_ERROR') throw error
			// What was not heard of may have been done.
			if (lost !== undefined && (await look()).made.length > 0) break
			if (at === TRIES) throw error
			reporter.retry(doing, (error as BackupError).message)
			await sleep(SECOND_MS, signal, doing)
		}
	}
	const { after, made } = await look()
	const [link] = made
	if (link === undefined) {
		if (lost !== undefined) throw lost
		throw broken(`the server took a backup of ${source.name}, and no new link is there`, 'gap', 'look at its directory')
	}
	if (made.length > 1) {
		throw broken(
			`${made.map(({ name }) => name).join(' and ')} came at once: somebody else backs up ${source.name} too`,
			'ambiguous',
			'let one run at a time back up a collection; both links are in the cluster, and collection ship takes them',
		)
	}
	if (lost !== undefined) reporter.warn(`the answer of the server was lost, and ${link.name} is there: it goes on`)
	const last = after.at(-1)!
	if (last.name !== link.name && known.has(last.name)) {
		throw broken(
			`${link.name} is new and sorts before ${last.name}: the server's clock went back`,
			'ambiguous',
			'take a full backup when the clock is past the newest name: a new chain begins with it',
		)
	}
	return link
}

/** Follows the link to its end and looks whether it has every table. */
async function check(
	{ waitMs = WAIT_MS, signal }: TakeLinkOptions,
	source: CollectionSource,
	before: ChainState,
	link: CollectionLink,
	reporter: Reporter,
): Promise<string[]> {
	if ((await settled(source, link, { waitMs, signal, reporter })) === 'running') {
		throw new BackupError('DEADLINE_EXCEEDED', `the server is still writing ${link.name} after ${waitMs / 1000} s`, {
			retry: 'later',
			advice: 'collection show says when it is done; do not take another backup before',
		})
	}
	const { tables } = await source.contents(link, { signal })
	const paths = tables.map(({ path }) => path)
	if (paths.length === 0) throw broken(`${link.name} holds no table`, 'gap', 'take a full backup')
	if (link.kind === 'incremental') checkMembers(link, paths, before.members)
	return paths
}

function broken(message: string, reason: string, advice: string): BackupError {
	return new BackupError('CHAIN_BROKEN', message, { reason, advice })
}
