import type { Repository } from '@ydbackup/catalog'
import { interruption, isBackupError, throwIfInterrupted } from '@ydbackup/core'
import { layout, type Manifest } from '@ydbackup/format'

import type { EventHandler } from '../events/event.ts'
import { createMeter } from '../events/meter.ts'
import { createReporter } from '../events/reporter.ts'
import { watchStalls } from '../events/stall-watch.ts'
import { chooseConcurrency } from '../flow/concurrency.ts'
import { type Finding, findingOf } from '../part/finding.ts'
import { inspect } from '../part/inspect.ts'
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
	/** With `full`: what was read. */
	readonly rows: number
	readonly plainBytes: number
	readonly storedBytes: number
	readonly elapsedMs: number
}

const STALL_LIMIT_MS = 30 * 60_000

/**
 * Says whether a backup could be restored, and everything that is wrong with it. It does not throw for a damaged backup, not even
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
		let manifest: Manifest
		try {
			manifest = (await repository.read(options.id, { signal })).manifest
		} catch (error) {
			const id = options.id === 'latest' ? ((await repository.ids({ signal })).at(-1) ?? 'latest') : options.id
			const finding = findingOf(error, layout.manifestKey(id), 'data')
			const nothing = { tables: 0, files: 1, rows: 0, plainBytes: 0, storedBytes: 0 }
			return { id, level, ok: false, findings: [finding], ...nothing, elapsedMs: elapsedMs() }
		}
		reporter.phase('check', `looking at ${manifest.files.length} objects of ${manifest.id}`)
		const inspection = await inspect({
			storage,
			manifest,
			level: level === 'quick' ? 'sizes' : 'contents',
			signal,
		})
		const findings = [...inspection.findings]
		const meter = createMeter(reporter.emit, inspection.tables.length)
		if (level === 'full') {
			const limitMs = options.stallLimitMs ?? STALL_LIMIT_MS
			using stalls = watchStalls({ signal, meter, emit: reporter.emit, limitMs })
			findings.push(...(await readTables({ storage, manifest, inspection, concurrency, meter, reporter, stalls })))
		}
		return {
			id: manifest.id,
			level,
			ok: findings.length === 0,
			findings: findings.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
			tables: manifest.counts.tables,
			files: manifest.files.length,
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
