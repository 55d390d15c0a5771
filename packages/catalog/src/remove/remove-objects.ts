import { type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import { mapBounded } from '../read/map-bounded.ts'

export interface RemoveObjectsOptions extends CallOptions {
	/** Called before each batch; what it throws ends the removal there. */
	readonly beforeBatch?: (() => void) | undefined
	readonly onDeleted?: ((count: number) => void) | undefined
	/** Leave the record of its run. */
	readonly keepRun?: boolean | undefined
}

export interface Removed {
	readonly objects: number
	readonly bytes: number
	/** Objects that the store does not delete: they are held, or rights are missing. */
	readonly refused: readonly string[]
}

const BATCH = 256
const AT_ONCE = 16

/**
 * Deletes every object of a backup, in an order in which no moment shows a part of it as a whole: what makes it importable, what makes it
 * listed, its data, all that we keep beside it; its tombstone last, and only when nothing else is left. Whoever calls has written the
 * tombstone. May be called again after any end.
 */
export async function removeObjects(
	storage: Storage,
	id: string,
	options: RemoveObjectsOptions = {},
): Promise<Removed> {
	const { beforeBatch, onDeleted, keepRun = false, signal } = options
	const found = new Map<string, number>()
	for (const prefix of [
		`${layout.backupPrefix(id)}/`,
		`${layout.catalogPrefix(id)}/`,
		...(keepRun ? [] : [`${layout.runsRoot}${id}/`]),
		`${layout.holdsRoot}${id}/`,
	]) {
		for await (const { key, size } of storage.list(prefix, { signal })) found.set(key, size)
	}
	const isRoot = (key: string): boolean => layout.isRootKey(id, key)
	const manifest = layout.manifestKey(id)
	const keys = [...found.keys()]
	const steps = [
		keys.filter(isRoot),
		keys.filter((key) => key === manifest),
		keys.filter((key) => !isRoot(key) && key !== manifest),
	]
	const refused: string[] = []
	let objects = 0
	let bytes = 0
	for (const step of steps) {
		for (let at = 0; at < step.length; at += BATCH) {
			beforeBatch?.()
			const batch = step.slice(at, at + BATCH)
			await mapBounded(batch, Math.min(AT_ONCE, storage.capabilities.maxConcurrency), async (key) => {
				try {
					await storage.delete(key, { signal })
					objects++
					bytes += found.get(key) ?? 0
				} catch (error) {
					if (!isBackupError(error, 'STORAGE_PERMISSION')) throw error
					refused.push(key)
				}
			})
			onDeleted?.(objects)
		}
		// What is importable or listed must not lose its data.
		if (refused.length > 0) return { objects, bytes, refused }
	}
	await storage.delete(layout.tombstoneKey(id), { signal })
	return { objects, bytes, refused }
}
