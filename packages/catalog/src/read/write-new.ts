import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { sha256Hex } from '@ydbackup/format'
import { pause, readWhole } from './read-whole.ts'

export interface WriteNewOptions extends CallOptions {
	/** The error when the key holds other bytes, or somebody else's. */
	readonly conflict: (found: Uint8Array | undefined, cause?: unknown) => BackupError
	/** Whether it is enough that the store took the bytes when it does not let us read them. */
	readonly mayBeUnreadable?: boolean
	/** How long a store without `strongList` may take to show what it took. */
	readonly settleMs?: number
}

const SETTLE_MS = 10_000
const POLL_MS = 250
const RACE_MS = 1000

/**
 * Writes a small object under a key that nothing else may have, and reads it back. Whoever gets an answer that leaves open whether the
 * object exists, or that it exists already, looks: equal bytes are success, whoever wrote them, because our bytes hold a random id.
 * Errors: `conflict`; what the store says; `OBJECT_MISSING` when it took the object and does not have it.
 */
export async function writeNew(
	storage: Storage,
	key: string,
	bytes: Uint8Array,
	options: WriteNewOptions,
): Promise<void> {
	const { conflict, signal } = options
	const isAtomic = storage.capabilities.conditionalCreate === true
	if (!isAtomic && (await storage.stat(key, { signal })) !== undefined) return expectOurs(storage, key, bytes, options)
	try {
		await storage.put(key, bytes, {
			size: bytes.length,
			sha256: sha256Hex(bytes),
			signal,
			...(isAtomic ? { ifAbsent: true } : {}),
		})
	} catch (error) {
		// After these the object may be there: an answer that was lost, or a second try that met the first one's success.
		if (!isOpen(error)) throw error
		const found = await look(storage, key, bytes.length, { signal: undefined }).catch(() => undefined)
		if (found === undefined) throw isBackupError(error, 'STORAGE_ALREADY_EXISTS') ? conflict(undefined, error) : error
		if (!equal(found, bytes)) throw conflict(found, error)
		return
	}
	// Without create-only, two who write at once both think that they won; after this pause the same one of them is seen by both.
	if (!isAtomic) await pause(RACE_MS, signal)
	await expectOurs(storage, key, bytes, options)
}

function isOpen(error: unknown): boolean {
	return ['STORAGE_ALREADY_EXISTS', 'STORAGE_TRANSIENT', 'STORAGE_THROTTLED', 'DEADLINE_EXCEEDED'].some((code) =>
		isBackupError(error, code as 'STORAGE_TRANSIENT'),
	)
}

async function expectOurs(storage: Storage, key: string, bytes: Uint8Array, options: WriteNewOptions): Promise<void> {
	const settleMs = storage.capabilities.strongList === true ? 0 : (options.settleMs ?? SETTLE_MS)
	const deadline = performance.now() + settleMs
	for (;;) {
		let found: Uint8Array | undefined
		try {
			found = await look(storage, key, bytes.length, options)
		} catch (error) {
			if (options.mayBeUnreadable === true && isBackupError(error, 'STORAGE_PERMISSION')) return
			throw error
		}
		if (found !== undefined) {
			if (equal(found, bytes)) return
			throw options.conflict(found)
		}
		if (performance.now() >= deadline) {
			throw new BackupError('OBJECT_MISSING', `the store took ${key} and does not have it`, {
				advice: 'check the storage and what stands between, then run again',
			})
		}
		await pause(POLL_MS, options.signal)
	}
}

/** The object, if it is there; at most one byte more than expected. */
async function look(
	storage: Storage,
	key: string,
	size: number,
	options: CallOptions,
): Promise<Uint8Array | undefined> {
	const other = new BackupError('STORAGE_INTEGRITY', `${key} is larger than what was written`)
	try {
		return await readWhole(storage, key, size, () => other, options)
	} catch (error) {
		if (error === other) return new Uint8Array(0)
		if (isBackupError(error, 'STORAGE_NOT_FOUND')) return undefined
		throw error
	}
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
	return Buffer.compare(a, b) === 0
}
