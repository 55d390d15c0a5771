import { isBackupError, type Snapshot, type Storage } from '@ydbackup/core'

import { layout } from '@ydbackup/format'

import type { Reporter } from '../events/reporter.ts'
import { reasonText } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import { requestConcurrency } from '../flow/concurrency.ts'
import { runAll } from '../flow/run-all.ts'

const DROP_MS = 120_000
const DELETE_MS = 60_000

interface Dropping {
	readonly reporter: Reporter
	/** What is done, for the phase and for the bound of its time. */
	readonly doing: string
	readonly place: string
	readonly failed: (why: string) => string
}

/** Drops what nobody needs any more, whatever became of the run. False, with a warning of the place, when it could not be dropped. */
export async function dropOrWarn(
	{ reporter, doing, place, failed }: Dropping,
	drop: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
	reporter.phase('cleanup', doing)
	try {
		await drop(cleanupSignal(DROP_MS, doing))
		return true
	} catch (error) {
		reporter.warn(failed(reasonText(error)), place)
		return false
	}
}

/** Drops the copies of a run. False when they could not be dropped. */
export async function dropCopies(snapshot: Snapshot, reporter: Reporter): Promise<boolean> {
	const place = snapshot.workDirectory
	if (place === '') return true
	const doing = `dropping the copies in ${place}`
	const failed = (why: string): string =>
		`the copies in ${place} could not be dropped: ${why}; drop that directory by hand`
	return dropOrWarn({ reporter, doing, place, failed }, (signal) => snapshot.drop({ signal }))
}

/** Every object below the folders of a run, whoever wrote it. */
export async function keysOfRun(storage: Storage, id: string): Promise<string[]> {
	const keys: string[] = []
	for (const root of [layout.backupPrefix(id), layout.catalogPrefix(id)]) {
		for await (const { key } of storage.list(`${root}/`)) keys.push(key)
	}
	return keys
}

/** Deletes what a failed run put, the files that make it importable first. What stays is never listed, and is named by number. */
export async function deleteObjects(
	storage: Storage,
	first: readonly string[],
	keys: readonly string[],
	reporter: Reporter,
): Promise<void> {
	const written = new Set(keys)
	const leading = first.filter((key) => written.delete(key))
	const concurrency = requestConcurrency(storage)
	const signal = cleanupSignal(DELETE_MS, 'deleting what was written')
	let left = leading.length + written.size
	if (left === 0) return
	reporter.phase('cleanup', `deleting ${left} objects of this run`)
	try {
		for (const batch of [leading, Array.from(written)]) {
			await runAll(batch, concurrency, signal, async (key, stop) => {
				await storage.delete(key, { signal: stop })
				left--
			})
		}
	} catch (error) {
		const why = isBackupError(error, 'STORAGE_PERMISSION') ? 'the store does not allow deletes' : reasonText(error)
		reporter.warn(`${left} objects of this unfinished run stay on storage, where no backup lists them: ${why}`)
	}
}
