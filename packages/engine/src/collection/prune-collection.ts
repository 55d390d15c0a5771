import type { Repository } from '@ydbackup/catalog'
import {
	BackupError,
	type CollectionLink,
	type CollectionSource,
	interruption,
	isBackupError,
	type KeyProvider,
	throwIfInterrupted,
} from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

import type { EventHandler } from '../events/event.ts'
import { createReporter, type Reporter, type Warning } from '../events/reporter.ts'
import { verify } from '../verify/verify.ts'
import { allShipped } from './shipped-links.ts'

export interface PruneCollectionOptions {
	readonly source: CollectionSource
	readonly repository: Repository
	/** Keys of encrypted backups. */
	readonly keys?: readonly KeyProvider[] | undefined
	/** The newest chains that stay in the cluster, whatever became of them. At least 1, the default. */
	readonly keepChains?: number | undefined
	readonly concurrency?: number | undefined
	readonly stallLimitMs?: number | undefined
	/** Verify and say what would be dropped, and drop nothing. */
	readonly dryRun?: boolean | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
}

export interface PrunedChain {
	/** The directories of its links, oldest first. */
	readonly links: readonly string[]
	/** `dropped`: all of its links, or in a dry run those that would be. `kept`: by the number that was asked for. `refused`: see {@link reason}. */
	readonly state: 'dropped' | 'kept' | 'refused'
	readonly reason?: string | undefined
}

export interface PruneCollectionResult {
	readonly collection: string
	readonly database: string
	readonly dryRun: boolean
	/** `partial` when a chain that should go had to stay. */
	readonly outcome: 'complete' | 'partial'
	/** Oldest first. */
	readonly chains: readonly PrunedChain[]
	readonly warnings: readonly Warning[]
	readonly elapsedMs: number
}

/**
 * Drops old chains of a collection inside the cluster: whole ones only, and only when every link is in the repository and the last one was
 * verified now, byte for byte and with everything that it builds upon. Links of a chain are dropped from its end, so that what is left of
 * an interrupted run is a chain still. Errors: `CONFIG_INVALID`, those of the source and of the store, `INTERRUPTED`.
 */
export async function pruneCollection(options: PruneCollectionOptions): Promise<PruneCollectionResult> {
	const startedAt = performance.now()
	const { source, repository, keepChains = 1, signal } = options
	if (!Number.isSafeInteger(keepChains) || keepChains < 1) {
		throw new BackupError('CONFIG_INVALID', `${keepChains} chains cannot be kept`, {
			advice: 'keep at least one: the newest chain is the one that increments are added to',
		})
	}
	const reporter = createReporter(options.onEvent)
	try {
		throwIfInterrupted(signal, 'starting to prune')
		reporter.phase('list', `listing the links of ${source.name}`)
		const chains = chainsOf(await source.links({ signal }))
		const shipped = await allShipped(repository, source, { signal })
		const results: PrunedChain[] = []
		for (const [index, chain] of chains.entries()) {
			const links = chain.map(({ name }) => name)
			if (index >= chains.length - keepChains) {
				results.push({ links, state: 'kept' })
				continue
			}
			const reason = await reasonToStay(options, reporter, chain, shipped)
			if (reason !== undefined) {
				reporter.warn(`${links[0]} and its increments stay in the cluster: ${reason}`)
				results.push({ links, state: 'refused', reason })
				continue
			}
			for (const link of options.dryRun === true ? [] : chain.toReversed()) {
				throwIfInterrupted(signal, `pruning ${source.name}`)
				reporter.phase('cleanup', `dropping ${link.name} inside the cluster`)
				await source.drop(link, { signal })
			}
			results.push({ links, state: 'dropped' })
		}
		return {
			collection: source.name,
			database: source.database,
			dryRun: options.dryRun === true,
			outcome: results.some(({ state }) => state === 'refused') ? 'partial' : 'complete',
			chains: results,
			warnings: reporter.warnings,
			elapsedMs: Math.round(performance.now() - startedAt),
		}
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, `pruning ${source.name}`)
		throw error
	}
}

/** Links without a full backup before them are a chain of their own, which nothing can restore and nobody drops. */
function chainsOf(links: readonly CollectionLink[]): CollectionLink[][] {
	const chains: CollectionLink[][] = []
	for (const link of links) {
		if (link.kind === 'full' || chains.length === 0) chains.push([link])
		else chains.at(-1)!.push(link)
	}
	return chains
}

async function reasonToStay(
	options: PruneCollectionOptions,
	reporter: Reporter,
	chain: readonly CollectionLink[],
	shipped: ReadonlyMap<string, Manifest>,
): Promise<string | undefined> {
	const { repository, keys, concurrency, stallLimitMs, signal, onEvent } = options
	let before: Manifest | undefined
	for (const { name, kind } of chain) {
		const manifest = shipped.get(name)
		if (manifest === undefined) return `${name} is not in the repository`
		if (manifest.kind !== kind || manifest.parent?.id !== before?.id) {
			return `${name} is in the repository as ${manifest.id}, but not as the link after ${before?.id ?? 'nothing'}`
		}
		before = manifest
	}
	const { id } = before!
	// Without its key, only the bytes on the store could be looked at.
	if (before!.encryption !== undefined && (keys ?? []).length === 0)
		return `${id} is encrypted, and cannot be verified without its key: give --encryption-key`
	reporter.phase('check', `verifying ${id} and all that it builds upon`)
	const report = await verify({ repository, id, level: 'full', keys, concurrency, stallLimitMs, signal, onEvent })
	return report.ok ? undefined : `${id} does not pass verification: ${report.findings[0]!.message}`
}
