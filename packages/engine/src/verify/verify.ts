import { readChain, type Repository } from '@ydbackup/catalog'
import { interruption, isBackupError, throwIfInterrupted } from '@ydbackup/core'
import { layout, type Manifest } from '@ydbackup/format'

import { openChain } from '../chain/open-chain.ts'
import type { EventHandler } from '../events/event.ts'
import { createMeter } from '../events/meter.ts'
import { createReporter } from '../events/reporter.ts'
import { watchStalls } from '../events/stall-watch.ts'
import { chooseConcurrency, mergeConcurrency } from '../flow/concurrency.ts'
import { type Finding, findingOf } from '../part/finding.ts'
import { readTables } from './read-tables.ts'

export interface VerifyOptions {
	readonly repository: Repository
	/** An id, or `latest`. */
	readonly id: string
	/**
	 * `quick`: the manifest, and that every object is there with its size. `full`: every byte read, hashed, decompressed, parsed and
	 * counted, as a restore would.
	 */
	readonly level: 'quick' | 'full'
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
}

const STALL_LIMIT_MS = 30 * 60_000

/**
 * Says whether a backup could be restored, and everything that is wrong with it. Of an increment the whole chain is looked at, and with
 * `full` its tables are put together as a restore would, and compared with what the last link counted and hashed. It does not throw for a damaged backup, not even
 * for a damaged manifest; only for one that is not there (`BACKUP_NOT_FOUND`), a store that cannot be asked, and a stop.
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
		let manifests: Manifest[]
		try {
			manifests = await readChain(repository, options.id, { signal })
		} catch (error) {
			const id = options.id === 'latest' ? ((await repository.ids({ signal })).at(-1) ?? 'latest') : options.id
			const finding = findingOf(error, layout.manifestKey(id), 'data')
			const nothing = { tables: 0, files: 1, links: [id], rows: 0, plainBytes: 0, storedBytes: 0 }
			return { id, level, ok: false, findings: [finding], ...nothing, elapsedMs: elapsedMs() }
		}
		const manifest = manifests.at(-1)!
		const files = manifests.reduce((sum, each) => sum + each.files.length, 0)
		const others = manifests.length > 1 ? ` and the ${manifests.length - 1} that it builds upon` : ''
		reporter.phase('check', `looking at ${files} objects of ${manifest.id}${others}`)
		const chain = await openChain({ storage, manifests, level: level === 'quick' ? 'sizes' : 'contents', signal })
		const findings = [...chain.findings]
		const meter = createMeter(reporter.emit, chain.tables.length)
		if (level === 'full') {
			const limitMs = options.stallLimitMs ?? STALL_LIMIT_MS
			using stalls = watchStalls({ signal, meter, emit: reporter.emit, limitMs })
			const atOnce = mergeConcurrency(concurrency, manifests.length)
			findings.push(...(await readTables({ storage, chain, concurrency: atOnce, meter, reporter, stalls })))
		}
		return {
			id: manifest.id,
			level,
			ok: findings.length === 0,
			findings: findings.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
			tables: manifest.counts.tables,
			files,
			links: manifests.map(({ id }) => id),
			rows: meter.rows,
			plainBytes: meter.bytes,
			storedBytes: meter.storedBytes,
			elapsedMs: elapsedMs(),
		}
	} catch (error) {
		if (signal?.aborted === true && !isBackupError(error)) throw interruption(signal, `verifying ${options.id}`)
		throw error
	}
}
