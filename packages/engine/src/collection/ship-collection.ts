import { readChain } from '@ydbackup/catalog'
import { BackupError, type CollectionLink, interruption, isBackupError, throwIfInterrupted } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

import { SUSPECT } from '../chain/open-chain.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { keysOf, openBackup, type OpenedBackup } from '../encryption/open-backup.ts'
import { openSeals } from '../encryption/open-seal.ts'
import type { Seal } from '../encryption/seal.ts'
import { createReporter, type Reporter } from '../events/reporter.ts'
import { clearDeadRuns } from './dead-runs.ts'
import { shipLink } from './ship-link.ts'
import { settled } from './settled.ts'
import type { ShippedLinkResult, ShipOptions, ShipResult } from './ship-options.ts'
import { newestShipped } from './shipped-links.ts'

const WAIT_MS = 10 * 60_000
const NOTHING = { tables: 0, rows: 0, plainBytes: 0, storedBytes: 0, suspects: [] }

/** Codes that speak of the link and not of the way to it: the chain ends there, and a later full backup begins a new one. */
const OF_LINK = new Set(['CHAIN_BROKEN', 'UNSUPPORTED', 'FORMAT_INVALID', 'TYPE_UNKNOWN', 'ROWS_OUT_OF_ORDER'])

/**
 * Ships every link of a backup collection that is not in the repository yet, in order. Each becomes a backup; an increment names the one
 * before it as its parent. It may be stopped and called again at any point: links that are listed stay, the one that was under way begins
 * anew. A link that cannot be a link of its chain is refused with the reason, and so are those that build upon it.
 *
 * Errors: those of the source and of the store, `INTERRUPTED`; what was shipped before stays.
 */
export async function shipCollection(options: ShipOptions): Promise<ShipResult> {
	const startedAt = performance.now()
	const { source, repository, signal } = options
	const reporter = createReporter(options.onEvent)
	const keyring = createKeyring(options.encryption?.keys ?? [], signal)
	try {
		throwIfInterrupted(signal, 'starting to ship')
		const seals = await openSeals(options.encryption, keyring, signal)
		reporter.phase('list', `listing the links of ${source.name}`)
		const links = await source.links({ signal })
		const newest = await newestShipped(repository, source, { signal })
		if (options.dryRun !== true) await clearDeadRuns(repository, source, reporter, signal)
		const keysUsed = new Set<string>()
		const open = async (manifest: Manifest): Promise<OpenedBackup> => {
			if (keyring.isEmpty && manifest.encryption !== undefined) throw needsKey(manifest)
			for (const id of keysOf([manifest])) keysUsed.add(id)
			return openBackup(repository.storage, manifest, keyring, signal)
		}
		const results = await shipEach({ options, reporter, seals, open }, links, newest)
		const isWhole = results.every(
			({ state, suspects }) => state !== 'running' && state !== 'refused' && suspects.length === 0,
		)
		return {
			collection: source.name,
			database: source.database,
			dryRun: options.dryRun === true,
			outcome: isWhole ? 'complete' : 'partial',
			links: results,
			keysUsed: [...keysUsed],
			warnings: reporter.warnings,
			elapsedMs: Math.round(performance.now() - startedAt),
		}
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, `shipping ${source.name}`)
		throw error
	}
}

interface Shipping {
	readonly options: ShipOptions
	readonly reporter: Reporter
	readonly seals: (() => Seal) | undefined
	open(manifest: Manifest): Promise<OpenedBackup>
}

function needsKey({ id }: Manifest): BackupError {
	return new BackupError('KEY_REQUIRED', `the links of the collection are encrypted: ${id} is`, {
		advice: 'give its key by --encryption-key: what follows is encrypted as what it builds upon',
	})
}

async function shipEach(
	{ options, reporter, seals, open }: Shipping,
	links: readonly CollectionLink[],
	newest: Manifest | undefined,
): Promise<ShippedLinkResult[]> {
	const results: ShippedLinkResult[] = []
	const done = newest?.source.collection?.link
	const isThere = links.some(({ name }) => name === done)
	let parent = isThere && options.dryRun !== true ? await open(newest!) : undefined
	let ancestors = parent === undefined ? [] : await idsOfChain(options, parent.manifest.id)
	/** Why no increment can follow. */
	let broken: string | undefined =
		done === undefined || isThere
			? undefined
			: `${done}, the last link in the repository, is not in the cluster any more`

	const disorder = findDisorder(links, newest)

	for (const link of links) {
		throwIfInterrupted(options.signal, `shipping ${options.source.name}`)
		const { name, kind } = link
		if (done !== undefined && name <= done && !disorder.has(name)) {
			const place = name === done ? { state: 'present' as const, id: newest!.id } : { state: 'earlier' as const }
			results.push({ link: name, kind, ...place, ...NOTHING })
			continue
		}
		if (kind === 'full') {
			parent = undefined
			ancestors = []
			broken = undefined
		}
		try {
			if (disorder.has(name)) throw outOfOrder(link)
			if (kind === 'incremental') assertFollows(link, parent !== undefined || options.dryRun === true, broken)
			if (
				(await settled(options.source, link, { waitMs: patienceOf(options), signal: options.signal, reporter })) ===
				'running'
			) {
				results.push({ link: name, kind, state: 'running', ...NOTHING })
				reporter.warn(`the server is still writing ${name}: ship again when it is done`)
				break
			}
			if (options.dryRun === true) {
				results.push({ link: name, kind, state: 'planned', ...NOTHING })
				continue
			}
			reporter.phase('list', `shipping ${name}`)
			const made = await shipLink(options, reporter, link, { parent, ancestors }, seals?.())
			// What proves a key stands in the manifest as it was stored.
			parent = seals === undefined ? { manifest: made } : await open((await options.repository.read(made.id)).manifest)
			ancestors = [...ancestors, made.id]
			results.push(shipped(link, parent.manifest, reporter))
		} catch (error) {
			if (!isBackupError(error) || !OF_LINK.has(error.code)) throw error
			const { code, message, advice } = error
			results.push({ link: name, kind, state: 'refused', ...NOTHING, reason: { code, message, advice } })
			reporter.warn(`${name} was not shipped: ${message}`)
			parent = undefined
			broken ??= `${name} before it could not be shipped`
		}
	}
	return results
}

/** Ids of all that a link builds upon, itself last. Where the chain is broken, as far as it is known: the link is looked at by others. */
async function idsOfChain({ repository, signal }: ShipOptions, id: string): Promise<string[]> {
	try {
		return (await readChain(repository, id, { signal })).map((manifest) => manifest.id)
	} catch (error) {
		if (isBackupError(error, 'CHAIN_BROKEN')) return [id]
		throw error
	}
}

/**
 * Links that are not yet looked at and whose place by name is not their place in time: the link before by name is not the one before in
 * time, so another link's changes lie between. Names are stamps of the server's local clock, which goes back in autumn; the server's
 * RESTORE would apply such links in the wrong order. It can be seen only where the server tells times.
 */
function findDisorder(links: readonly CollectionLink[], newest: Manifest | undefined): Set<string> {
	if (links.some(({ clock }) => clock !== 'server')) return new Set()
	const done = newest?.source.collection?.link
	const inTime = links.toSorted((a, b) => (a.after < b.after ? -1 : a.after > b.after ? 1 : 0))
	const before = new Map(inTime.map(({ name }, index) => [name, inTime[index - 1]?.name]))
	const odd = links.filter(({ name, kind, after }, index) => {
		if (done !== undefined && name <= done)
			return name < done && newest!.clock === 'server' && after > newest!.snapshotBefore
		return kind === 'incremental' && before.get(name) !== links[index - 1]?.name
	})
	return new Set(odd.map(({ name }) => name))
}

function outOfOrder({ name }: CollectionLink): BackupError {
	return new BackupError(
		'CHAIN_BROKEN',
		`${name} was not taken in the order of its name: the server's clock went back`,
		{
			reason: 'ambiguous',
			advice: 'take a full backup of the collection when the clock is past the newest name: a new chain begins with it',
		},
	)
}

function assertFollows(link: CollectionLink, hasParent: boolean, broken: string | undefined): void {
	if (broken === undefined && hasParent) return
	throw new BackupError('CHAIN_BROKEN', `${link.name}: ${broken ?? 'no full backup stands before it'}`, {
		reason: 'gap',
		advice: 'take a full backup of the collection: a new chain begins with it',
	})
}

function shipped(link: CollectionLink, manifest: Manifest, reporter: Reporter): ShippedLinkResult {
	const suspects = manifest.notes.flatMap(({ path, kind, reason }) => (kind === SUSPECT ? [{ path, reason }] : []))
	for (const { path, reason } of suspects) reporter.warn(`${link.name}: ${reason}; take a full backup`, path)
	return {
		link: link.name,
		kind: link.kind,
		state: 'shipped',
		id: manifest.id,
		tables: manifest.counts.tables,
		rows: Number(manifest.counts.rows ?? 0),
		plainBytes: manifest.counts.plainBytes ?? 0,
		storedBytes: manifest.counts.storedBytes,
		suspects,
	}
}

const patienceOf = ({ dryRun, waitMs = WAIT_MS }: ShipOptions): number => (dryRun === true ? 0 : waitMs)
