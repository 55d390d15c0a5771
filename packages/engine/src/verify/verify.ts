import { readChain, type Repository } from '@ydbackup/catalog'
import { type KeyProvider, interruption, isBackupError, throwIfInterrupted } from '@ydbackup/core'
import { layout, type Manifest, type ProvenFile } from '@ydbackup/format'

import { openChain } from '../chain/open-chain.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { keysOf, type OpenedBackup, openBackups, proven } from '../encryption/open-backup.ts'
import type { EventHandler } from '../events/event.ts'
import { createMeter } from '../events/meter.ts'
import { createReporter } from '../events/reporter.ts'
import { STALL_LIMIT_MS, watchStalls } from '../events/stall-watch.ts'
import { chooseConcurrency, mergeConcurrency } from '../flow/concurrency.ts'
import { type Finding, findingOf } from '../part/finding.ts'
import { readStored, readTables } from './read-tables.ts'

export interface VerifyOptions {
	readonly repository: Repository
	/** An id, or `latest`. */
	readonly id: string
	/**
	 * `quick`: the manifest, and that every object is there with its size. `full`: every byte read, hashed, decompressed, parsed and
	 * counted, as a restore would.
	 */
	readonly level: 'quick' | 'full'
	/** Keys of encrypted backups. Without any, of an encrypted backup the stored bytes are checked and nothing more. */
	readonly keys?: readonly KeyProvider[] | undefined
	readonly concurrency?: number | undefined
	/** See {@link BackupOptions.stallLimitMs}. */
	readonly stallLimitMs?: number | undefined
	readonly signal?: AbortSignal | undefined
	readonly onEvent?: EventHandler | undefined
}

export interface VerifyReport {
	/** The id that was asked for, or the one that `latest` stood for. */
	readonly id: string
	readonly level: 'quick' | 'full'
	/**
	 * How deep it looked: that every object is there with its size; every stored byte, as of an encrypted backup without its key; or
	 * everything that a restore would read.
	 */
	readonly checked: 'sizes' | 'stored-bytes' | 'contents'
	/** Ids of the keys that opened it; empty without encryption, or without a key. */
	readonly keysUsed: readonly string[]
	/** True when there is no finding at all. */
	readonly ok: boolean
	readonly findings: readonly Finding[]
	/** What was looked at. */
	readonly tables: number
	readonly files: number
	/** The backups of its chain, the full one first and itself last; of a full backup, itself alone. */
	readonly links: readonly string[]
	/** With `full`: what was read. */
	readonly rows: number
	readonly plainBytes: number
	readonly storedBytes: number
	readonly elapsedMs: number
	/** What a proof would say: all was read, with its key where one is needed, and all is right. Undefined otherwise. */
	readonly proven?: { readonly manifestSha256: string; readonly files: readonly ProvenFile[] } | undefined
}

/**
 * Says whether a backup could be restored, and everything that is wrong with it. Of an increment the whole chain is looked at, and with
 * `full` its tables are put together as a restore would, and compared with what the last link counted and hashed. It does not throw for a damaged backup, not even
 * for a damaged manifest; only for one that is not there (`BACKUP_NOT_FOUND`), a store that cannot be asked, a key that is not the right one (`KEY_WRONG`, `KEY_UNAVAILABLE`), and a stop.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
	const startedAt = performance.now()
	const { repository, level, signal } = options
	const { storage } = repository
	const reporter = createReporter(options.onEvent)
	const concurrency = chooseConcurrency(options.concurrency, storage)
	throwIfInterrupted(signal, 'starting to verify')
	const elapsedMs = (): number => Math.round(performance.now() - startedAt)
	try {
		let backups: readonly OpenedBackup[]
		let open: ReadonlySet<string>
		const keyring = createKeyring(options.keys ?? [], signal)
		try {
			const stored = await readChain(repository, options.id, { signal })
			open = new Set(openFiles(stored))
			backups = keyring.isEmpty
				? await Promise.all(stored.map(async (manifest) => ({ manifest: await proven(storage, manifest, signal) })))
				: await openBackups(storage, stored, keyring, signal)
		} catch (error) {
			const id = options.id === 'latest' ? ((await repository.ids({ signal })).at(-1) ?? 'latest') : options.id
			const finding = findingOf(error, layout.manifestKey(id), 'data')
			const nothing = { tables: 0, files: 1, links: [id], rows: 0, plainBytes: 0, storedBytes: 0 }
			return {
				id,
				level,
				checked: 'sizes',
				keysUsed: [],
				ok: false,
				findings: [finding],
				...nothing,
				elapsedMs: elapsedMs(),
			}
		}
		const manifests = backups.map((backup) => backup.manifest)
		const manifest = manifests.at(-1)!
		const isLocked = backups.some((backup) => backup.manifest.encryption !== undefined && backup.unseal === undefined)
		const depth = level === 'quick' ? 'sizes' : isLocked ? 'stored' : 'contents'
		const files = manifests.reduce((sum, each) => sum + each.files.length, 0)
		const others = manifests.length > 1 ? ` and the ${manifests.length - 1} that it builds upon` : ''
		reporter.phase('check', `looking at ${files} objects of ${manifest.id}${others}`)
		const chain = await openChain({ storage, backups, level: depth, signal })
		const findings = [...chain.findings]
		const found: ProvenFile[] = []
		const meter = createMeter(reporter.emit, chain.tables.length)
		if (level === 'full') {
			const limitMs = options.stallLimitMs ?? STALL_LIMIT_MS
			using stalls = watchStalls({ signal, meter, emit: reporter.emit, limitMs })
			const atOnce = mergeConcurrency(concurrency, manifests.length)
			const reading = { storage, chain, concurrency: atOnce, meter, reporter, stalls, open, proven: found }
			findings.push(...(await (depth === 'stored' ? readStored(reading) : readTables(reading))))
		}
		return {
			id: manifest.id,
			level,
			checked: depth === 'stored' ? 'stored-bytes' : depth,
			keysUsed: isLocked ? [] : keysOf(manifests),
			ok: findings.length === 0,
			findings: findings.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
			tables: manifest.counts.tables,
			files,
			links: manifests.map(({ id }) => id),
			rows: meter.rows,
			plainBytes: meter.bytes,
			storedBytes: meter.storedBytes,
			...(level === 'full' &&
				depth === 'contents' &&
				findings.length === 0 && {
					proven: { manifestSha256: manifest.sha256, files: found.toSorted((a, b) => (a.key < b.key ? -1 : 1)) },
				}),
			elapsedMs: elapsedMs(),
		}
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, `verifying ${options.id}`)
		throw error
	}
}

/** Data files that the cluster wrote. */
function openFiles(manifests: readonly Manifest[]): string[] {
	return manifests.flatMap(({ files }) =>
		files.flatMap(({ role, rows, key }) => (role === 'data' && rows === undefined ? key : [])),
	)
}
