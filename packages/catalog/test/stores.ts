import { BackupError, type ObjectBody, type Storage } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'
import { openMemory } from '@ydbackup/storage'

import { Repository } from '../src/index.ts'

/** A store that behaves as another one but for some of its members. */
export function changed(storage: Storage, members: Partial<Storage>): Storage {
	return new Proxy(storage, {
		get: (target, name) => (name in members ? members[name as keyof Storage] : target[name as keyof Storage]),
	})
}

/** Notes each call as `put key`. */
export function noting(storage: Storage): { storage: Storage; calls: string[] } {
	const calls: string[] = []
	return {
		calls,
		storage: changed(storage, {
			put: (key, ...rest) => (calls.push(`put ${key}`), storage.put(key, ...rest)),
			get: (key, ...rest) => (calls.push(`get ${key}`), storage.get(key, ...rest)),
			stat: (key, ...rest) => (calls.push(`stat ${key}`), storage.stat(key, ...rest)),
			list: (prefix, ...rest) => (calls.push(`list ${prefix}`), storage.list(prefix, ...rest)),
			delete: (key, ...rest) => (calls.push(`delete ${key}`), storage.delete(key, ...rest)),
		}),
	}
}

export const transient = (): BackupError => new BackupError('STORAGE_TRANSIENT', 'reset by peer', { retry: 'same' })
export const denied = (): BackupError => new BackupError('STORAGE_PERMISSION', 'access denied')

/** A body that breaks off after `length` bytes. */
export function broken(body: ObjectBody, length: number): ObjectBody {
	async function* bytes(): AsyncGenerator<Uint8Array> {
		for await (const piece of body.bytes) {
			yield piece.subarray(0, length)
			throw transient()
		}
	}
	return { info: body.info, bytes: bytes() }
}

export const START: Date = new Date('2026-11-23T02:15:30.500Z')
export const after = (seconds: number): Date => new Date(START.getTime() + seconds * 1000)

export async function newRepository(storage: Storage = openMemory()): Promise<Repository> {
	return Repository.init(storage, { clock: () => START })
}

export function manifestOf(
	repository: Repository,
	id: string,
	change: Partial<Manifest> = {},
): Omit<Manifest, 'sha256'> {
	return {
		ydbackup: 'manifest',
		version: 1,
		id,
		repository: repository.header.id,
		kind: 'full',
		createdAt: '2026-11-23T02:15:30.000Z',
		finishedAt: '2026-11-23T02:16:30.000Z',
		tool: { name: 'ydbackup', version: '0.0.0' },
		source: { database: '/local' },
		snapshotAfter: '2026-11-23T02:15:31.000001Z',
		snapshotBefore: '2026-11-23T02:15:32.000001Z',
		clock: 'server',
		layout: 'native-export-1',
		compression: 'zstd-1',
		readBack: 'done',
		labels: {},
		paths: [],
		objects: [],
		files: [],
		counts: { tables: 0, directories: 0, rows: '0', plainBytes: 0, storedBytes: 0, files: 0 },
		notes: [],
		...change,
	}
}

export async function errorOf(work: Promise<unknown>): Promise<BackupError> {
	const error: unknown = await work.then(
		(value) => new Error(`it succeeded: ${JSON.stringify(value)}`),
		(thrown: unknown) => thrown,
	)
	if (error instanceof BackupError) return error
	throw error
}

export async function keysOf(storage: Storage): Promise<string[]> {
	const keys: string[] = []
	for await (const { key } of storage.list('')) keys.push(key)
	return keys
}
