import { randomInt } from 'node:crypto'

import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import {
	decodeManifest,
	decodeObjects,
	decodeRepositoryHeader,
	encodeManifest,
	encodeRepositoryHeader,
	layout,
	type Manifest,
	MAX_HEADER_BYTES,
	MAX_MANIFEST_BYTES,
	type ObjectsFile,
	type RepositoryHeader,
	sha256Hex,
} from '@ydbackup/format'

import { nextBackupId, parseBackupId } from '../id/backup-id.ts'
import type { KeyUse } from '../keys/key-use.ts'
import { listKeyUses, noteKeyUse } from '../keys/key-uses.ts'
import { mapBounded } from '../read/map-bounded.ts'
import { readWhole } from '../read/read-whole.ts'
import { writeNew } from '../read/write-new.ts'
import { deleteRun, listRuns, type ListedRun, readRun } from '../runs/list-runs.ts'
import { encodeRun, type RunRecord } from '../runs/run-record.ts'
import { assertNotDeleted, listTombstones } from '../tombstones/tombstones.ts'
import type { BackupEntry, ListedManifest } from './backup-entry.ts'
import { chooseLatest, CLOCKS_APART_MS } from './choose-latest.ts'
import { listManifests } from './list-manifests.ts'
import {
	backupNotFound,
	idTaken,
	locationTaken,
	nothingBefore,
	manifestTooLarge,
	notACopy,
	repositoryExists,
	repositoryNotFound,
	runNotFound,
} from './repository-errors.ts'

export interface InitOptions extends CallOptions {
	readonly clock?: () => Date
}

export interface ListBackupsOptions extends CallOptions {
	/** The newest ones only. */
	readonly newest?: number | undefined
	/** Manifests read at once. Default 4. */
	readonly concurrency?: number | undefined
}

export interface ReadBackup {
	readonly manifest: Manifest
	/** As they are on storage. */
	readonly bytes: Uint8Array
}

const RANDOM = 2 ** 32

/**
 * Which backups exist in one store. It holds no state but the header: everything is asked of the store, so that any number of processes
 * may work with the same repository. The store stays its caller's, to retry, to watch and to close.
 */
export class Repository {
	readonly header: RepositoryHeader
	readonly storage: Storage

	private constructor(header: RepositoryHeader, storage: Storage) {
		this.header = header
		this.storage = storage
	}

	/**
	 * Makes a repository in an empty store. Errors: `REPOSITORY_EXISTS` for a store that holds a repository or any other object, naming
	 * some; what the store says.
	 */
	static async init(storage: Storage, options: InitOptions = {}): Promise<Repository> {
		const { signal } = options
		await assertEmpty(storage, signal)
		const now = options.clock?.() ?? new Date()
		const header: RepositoryHeader = {
			ydbackup: 'repository',
			version: 1,
			id: newRepositoryId(),
			createdAt: now.toISOString(),
		}
		await writeNew(storage, layout.repositoryKey, encodeRepositoryHeader(header), {
			signal,
			conflict: (_, cause) => repositoryExists(storage.location, cause),
		})
		return new Repository(header, storage)
	}

	/**
	 * Opens the copy of a repository in another store, which has its id, so that manifests are as they are; makes it where the store is empty. Errors:
	 * `REPOSITORY_EXISTS` for a store that holds another repository, or anything else.
	 */
	static async openCopy(storage: Storage, { header }: Repository, options: CallOptions = {}): Promise<Repository> {
		const { signal } = options
		if ((await storage.stat(layout.repositoryKey, { signal })) === undefined) {
			await assertEmpty(storage, signal)
			await writeNew(storage, layout.repositoryKey, encodeRepositoryHeader(header), {
				signal,
				conflict: (_, cause) => repositoryExists(storage.location, cause),
			})
		}
		const copy = await Repository.open(storage, options)
		if (copy.header.id === header.id) return copy
		throw notACopy(storage.location, copy.header.id, header.id)
	}

	/** Errors: `REPOSITORY_NOT_FOUND`, `REPOSITORY_VERSION`, `REPOSITORY_DAMAGED`; what the store says. */
	static async open(storage: Storage, options: CallOptions = {}): Promise<Repository> {
		const where = `${layout.repositoryKey} of ${storage.location}`
		let bytes: Uint8Array
		try {
			bytes = await readWhole(
				storage,
				layout.repositoryKey,
				MAX_HEADER_BYTES,
				(size) => new BackupError('REPOSITORY_DAMAGED', `${where} has ${size} bytes: no header is as large`),
				options,
			)
		} catch (error) {
			if (isBackupError(error, 'STORAGE_NOT_FOUND')) throw repositoryNotFound(storage.location, error)
			throw error
		}
		return new Repository(decodeRepositoryHeader(bytes, where), storage)
	}

	/** An id for a backup that starts now. `BACKUP_ID_CONFLICT` when it would not be above the newest: a clock is wrong. */
	async newBackupId(now: Date, options: CallOptions = {}): Promise<string> {
		const listed = await listManifests(this.storage, options)
		return nextBackupId(now, listed.findLast((one) => one.isId)?.id, randomInt(RANDOM) / RANDOM)
	}

	/** The ids of all backups, newest last, without reading them. Those that are being deleted are left out, here and wherever backups are listed. */
	async ids(options: CallOptions = {}): Promise<string[]> {
		return (await this.#listed(options)).filter((one) => one.isId).map((one) => one.id)
	}

	/** Every backup, newest last. One that cannot be read is there with the reason; only a store that fails makes it fail. */
	async list(options: ListBackupsOptions = {}): Promise<BackupEntry[]> {
		const { newest, concurrency = 4, signal } = options
		const listed = await this.#listed({ signal })
		const wanted = newest === undefined ? listed : listed.slice(Math.max(0, listed.length - newest))
		const entries = await mapBounded(wanted, concurrency, (one) => this.#entry(one, { signal }))
		return entries.filter((entry) => entry !== undefined)
	}

	/** As {@link list}, with those that are being deleted and whose manifest is still there. */
	async listAll(options: CallOptions = {}): Promise<BackupEntry[]> {
		const listed = await listManifests(this.storage, options)
		const entries = await mapBounded(listed, 4, (one) => this.#entry(one, options))
		return entries.filter((entry) => entry !== undefined)
	}

	/**
	 * A backup by id, or the `latest` one. Errors: `BACKUP_NOT_FOUND` naming ids that exist; `MANIFEST_INVALID`, `MANIFEST_VERSION`; a damaged
	 * newest backup is never passed over in silence.
	 */
	async read(id: string, options: CallOptions = {}): Promise<ReadBackup> {
		if (id === 'latest') return this.#readLatest(options)
		if (parseBackupId(id) === undefined) throw await this.#notFound(id, options)
		try {
			return await this.#readManifest(id, layout.manifestKey(id), options)
		} catch (error) {
			if (isBackupError(error, 'STORAGE_NOT_FOUND')) throw await this.#notFound(id, options)
			throw error
		}
	}

	/**
	 * The backup with the latest snapshot that was taken for certain at or before a time. Errors: `BACKUP_NOT_FOUND`; a damaged one on the
	 * way down is refused as `latest` would be, because nobody knows whether it is the one.
	 */
	async readAt(time: Date, options: CallOptions = {}): Promise<ReadBackup> {
		const wanted = time.getTime()
		const listed = (await this.#listed(options)).filter((one) => one.isId)
		let best: { readonly read: ReadBackup; readonly taken: number } | undefined
		for (const one of listed.toReversed()) {
			const begun = parseBackupId(one.id)!.time.getTime()
			if (best !== undefined && begun + CLOCKS_APART_MS < best.taken) break
			const isLater = begun > wanted + CLOCKS_APART_MS
			let read: ReadBackup
			try {
				read = await this.#readManifest(one.id, one.key, options)
			} catch (error) {
				if (isLater && isDamage(error)) continue
				throw error
			}
			const taken = Date.parse(read.manifest.snapshotBefore)
			if (taken <= wanted && (best === undefined || taken > best.taken)) best = { read, taken }
		}
		if (best !== undefined) return best.read
		throw nothingBefore(time, this.storage.location, listed[0]?.id)
	}

	/** What the native layout has no place for, of a backup that is not encrypted. Errors: `KEY_REQUIRED` for one that is; `OBJECT_MISSING`, `OBJECT_DAMAGED`, `FORMAT_INVALID`. */
	async readObjects(manifest: Manifest, options: CallOptions = {}): Promise<ObjectsFile> {
		const file = manifest.files.find((one) => one.role === 'objects')
		if (file === undefined) return { version: 1, directories: [] }
		if (manifest.encryption !== undefined) throw new BackupError('KEY_REQUIRED', `${file.key} is encrypted`)
		function damaged(how: string): BackupError {
			return new BackupError('OBJECT_DAMAGED', `${file?.key} ${how}`, {
				advice: 'use another backup, or another copy of this one',
			})
		}
		try {
			const bytes = await readWhole(this.storage, file.key, file.size, () => damaged('is larger than it was'), options)
			if (sha256Hex(bytes) !== file.sha256) throw damaged('does not hold the bytes that were written')
			return decodeObjects(bytes, file.key)
		} catch (error) {
			if (!isBackupError(error, 'STORAGE_NOT_FOUND')) throw error
			throw new BackupError('OBJECT_MISSING', `${file.key} is not there`, {
				advice: 'use another backup, or another copy of this one',
				cause: error,
			})
		}
	}

	/**
	 * Makes a backup exist: writes its manifest, create-only, and reads it back. All other objects must be durable before. May be called
	 * again with the same manifest. `BACKUP_ID_CONFLICT` when another backup has the id; the manifest is refused before it is written when
	 * it could not be read. `ancestors` is all that it builds upon: `BACKUP_DELETED` when one of them is being deleted, also when that is seen
	 * only after the manifest was written; then the caller deletes the backup again, with a tombstone first.
	 */
	async commit(
		manifest: Omit<Manifest, 'sha256'>,
		options: CallOptions & { readonly ancestors?: readonly string[] | undefined } = {},
	): Promise<Manifest> {
		const { ancestors = [], signal } = options
		const { id } = manifest
		const key = layout.manifestKey(id)
		if (parseBackupId(id) === undefined || manifest.repository !== this.header.id) {
			throw new BackupError(
				'INTERNAL',
				`${id} of repository ${manifest.repository} is no backup of repository ${this.header.id}`,
			)
		}
		const bytes = encodeManifest(manifest)
		const decoded = assertReadable(bytes, key)
		await assertNotDeleted(this.storage, ancestors, { signal })
		await writeNew(this.storage, key, bytes, {
			signal,
			mayBeUnreadable: manifest.readBack === 'unavailable',
			conflict: (_, cause) => idTaken(id, cause),
		})
		await assertNotDeleted(this.storage, ancestors, { signal })
		return decoded
	}

	/**
	 * Makes a backup of another copy of this repository exist here, by the very bytes of its manifest. Demands and errors as of {@link commit};
	 * `MANIFEST_INVALID` for bytes that are not those of its manifest.
	 */
	async adopt(
		id: string,
		bytes: Uint8Array,
		{ ancestors = [], signal }: CallOptions & { readonly ancestors?: readonly string[] | undefined } = {},
	): Promise<void> {
		const key = layout.manifestKey(id)
		const manifest = decodeManifest(bytes, key)
		if (manifest.id !== id) throw misplaced(key, `it is of backup ${manifest.id}`)
		if (manifest.repository !== this.header.id) throw misplaced(key, `it is of repository ${manifest.repository}`)
		await assertNotDeleted(this.storage, ancestors, { signal })
		await writeNew(this.storage, key, bytes, {
			signal,
			mayBeUnreadable: false,
			conflict: (_, cause) => idTaken(id, cause),
		})
		await assertNotDeleted(this.storage, [...ancestors, id], { signal })
	}

	/** Notes that a run has begun, before it creates anything. `BACKUP_ID_CONFLICT` when another run has the id. */
	async startRun(id: string, record: RunRecord, options: CallOptions = {}): Promise<void> {
		await writeNew(this.storage, layout.runKey(id), encodeRun(record), {
			signal: options.signal,
			mayBeUnreadable: true,
			conflict: (_, cause) => idTaken(id, cause),
		})
	}

	/** Forgets a run. May be called twice. */
	async endRun(id: string, options: CallOptions = {}): Promise<void> {
		await deleteRun(this.storage, id, options)
	}

	/** Notes that a key opened a backup, once a day. Errors: what the store says, for example that it may not be written. */
	async noteKeyUse(use: KeyUse, options: CallOptions = {}): Promise<void> {
		await noteKeyUse(this.storage, use, options)
	}

	/** When each key last opened a backup, as far as it could be noted. */
	async keyUses(options: CallOptions = {}): Promise<KeyUse[]> {
		return listKeyUses(this.storage, options)
	}

	/** An unfinished run. Errors: `RUN_NOT_FOUND` naming those that there are; `FORMAT_INVALID`. */
	async run(id: string, options: CallOptions = {}): Promise<RunRecord> {
		const run = parseBackupId(id) === undefined ? undefined : await readRun(this.storage, id, options)
		if (run?.record !== undefined) return run.record
		throw run?.error ?? runNotFound(id, this.storage.location, await this.runs(options))
	}

	/** Runs that have begun and not ended, newest last. */
	async runs(options: CallOptions = {}): Promise<ListedRun[]> {
		return listRuns(this.storage, options)
	}

	async #listed(options: CallOptions): Promise<ListedManifest[]> {
		const [listed, deleted] = await Promise.all([
			listManifests(this.storage, options),
			listTombstones(this.storage, options),
		])
		return deleted.size === 0 ? listed : listed.filter(({ id }) => !deleted.has(id))
	}

	async #readManifest(id: string, key: string, options: CallOptions): Promise<ReadBackup> {
		const bytes = await readWhole(this.storage, key, MAX_MANIFEST_BYTES, (size) => manifestTooLarge(key, size), options)
		const manifest = decodeManifest(bytes, key)
		if (manifest.id !== id) throw misplaced(key, `it is of backup ${manifest.id}`)
		if (manifest.repository !== this.header.id) throw misplaced(key, `it is of repository ${manifest.repository}`)
		return { manifest, bytes }
	}

	async #readLatest(options: CallOptions): Promise<ReadBackup> {
		const listed = (await this.#listed(options)).filter((one) => one.isId)
		const newest = listed.at(-1)
		if (newest === undefined) throw backupNotFound('latest', this.storage.location, [])
		return chooseLatest(listed, async (one) => {
			try {
				return await this.#readManifest(one.id, one.key, options)
			} catch (error) {
				if (!isDamage(error)) throw error
				const older = listed.at(-2)?.id
				throw new BackupError(error.code, `the latest backup cannot be read: ${error.message}`, {
					advice: older === undefined ? 'look for another copy of it' : `to use the one before it, name it: ${older}`,
					cause: error,
				})
			}
		})
	}

	async #entry(one: ListedManifest, options: CallOptions): Promise<BackupEntry | undefined> {
		const { id, key } = one
		if (!one.isId) return { id, error: misplaced(key, 'its folder is not named after a backup') }
		try {
			return { id, manifest: (await this.#readManifest(id, key, options)).manifest }
		} catch (error) {
			// Deleted since it was listed.
			if (isBackupError(error, 'STORAGE_NOT_FOUND')) return undefined
			if (!isDamage(error)) throw error
			return { id, error }
		}
	}

	async #notFound(id: string, options: CallOptions): Promise<BackupError> {
		return backupNotFound(id, this.storage.location, await this.ids(options))
	}
}

/** What could not be read must not be committed. */
function assertReadable(bytes: Uint8Array, key: string): Manifest {
	try {
		return decodeManifest(bytes, key)
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error)
		throw new BackupError('INTERNAL', `this manifest could not be read again: ${reason}`, {
			advice: 'nothing was committed; report this',
			cause: error,
		})
	}
}

function isDamage(error: unknown): error is BackupError {
	return (
		isBackupError(error, 'MANIFEST_INVALID') ||
		isBackupError(error, 'MANIFEST_VERSION') ||
		isBackupError(error, 'STORAGE_INTEGRITY')
	)
}

function misplaced(key: string, how: string): BackupError {
	return new BackupError('MANIFEST_INVALID', `${key} is not where it belongs: ${how}`, {
		advice: 'somebody moved or copied it; it cannot be used here',
	})
}

const NAMES_SHOWN = 3

async function assertEmpty(storage: Storage, signal: AbortSignal | undefined): Promise<void> {
	if ((await storage.stat(layout.repositoryKey, { signal })) !== undefined) throw repositoryExists(storage.location)
	const keys: string[] = []
	for await (const { key } of storage.list('', { signal })) {
		if (key === layout.repositoryKey) throw repositoryExists(storage.location)
		if (keys.push(key) > NAMES_SHOWN) break
	}
	if (keys.length > 0) throw locationTaken(storage.location, keys.slice(0, NAMES_SHOWN), keys.length > NAMES_SHOWN)
}

const ID_DIGITS = 10

/** Small letters and digits, as it becomes part of names in databases. */
function newRepositoryId(): string {
	return Array.from({ length: ID_DIGITS }, () => randomInt(36).toString(36)).join('')
}
