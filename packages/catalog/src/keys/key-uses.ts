import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import { readWhole } from '../read/read-whole.ts'
import { decodeKeyUse, encodeKeyUse, type KeyUse, MAX_KEY_USE_BYTES } from './key-use.ts'

/**
 * Notes that a key opened a backup: one small object for each key and day, which is never written again. Errors: what the store says,
 * for example that it may not be written.
 */
export async function noteKeyUse(storage: Storage, use: KeyUse, options: CallOptions = {}): Promise<void> {
	const key = layout.keyUseKey(use.keyId, use.at.slice(0, 10).replaceAll('-', ''))
	const bytes = encodeKeyUse(use)
	const { signal } = options
	if ((await storage.stat(key, { signal })) !== undefined) return
	const isAtomic = storage.capabilities.conditionalCreate === true
	try {
		await storage.put(key, bytes, { size: bytes.length, signal, ...(isAtomic ? { ifAbsent: true } : {}) })
	} catch (error) {
		if (!isBackupError(error, 'STORAGE_ALREADY_EXISTS')) throw error
	}
}

/** The newest note of each key. One that cannot be read is left out. Errors: those of a store that cannot be asked. */
export async function listKeyUses(storage: Storage, options: CallOptions = {}): Promise<KeyUse[]> {
	const newest = new Map<string, string>()
	for await (const { key } of storage.list(layout.keysRoot, { signal: options.signal })) {
		const [, keyId, day, ...rest] = key.split('/')
		if (keyId === undefined || !/^\d{8}\.json$/u.test(day ?? '') || rest.length > 0) continue
		if ((newest.get(keyId) ?? '') < key) newest.set(keyId, key)
	}
	const uses: KeyUse[] = []
	for (const [keyId, key] of newest) {
		const use = await readUse(storage, key, options)
		if (use?.keyId === keyId) uses.push(use)
	}
	return uses
}

async function readUse(storage: Storage, key: string, options: CallOptions): Promise<KeyUse | undefined> {
	try {
		const tooLarge = (): BackupError => new BackupError('REPOSITORY_DAMAGED', `${key} is too large`)
		return decodeKeyUse(await readWhole(storage, key, MAX_KEY_USE_BYTES, tooLarge, options), key)
	} catch (error) {
		if (isBackupError(error) && (error.kind === 'damaged' || error.kind === 'not-found')) return undefined
		throw error
	}
}
