import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import { readWhole } from '../read/read-whole.ts'
import { decodeLease, type LeaseRecord, MAX_LEASE_BYTES } from './lease-record.ts'
import { isKnownDead } from './owner.ts'

/** A lease as a listing of the store shows it. */
export interface ListedLease {
	readonly token: string
	/** Undefined when it cannot be read: somebody is at work, and nobody knows with what. */
	readonly record: LeaseRecord | undefined
	/** By the store's clock where it tells times. */
	readonly endsAt: Date
	/** False when its time is over, or when its owner is known to have ended. */
	readonly isLive: boolean
	/** Every object of it. */
	readonly keys: readonly string[]
}

export interface ListLeasesOptions extends CallOptions {
	readonly clock?: (() => Date) | undefined
	/** A lease that was written just now: it tells the store's time. */
	readonly own?: { readonly token: string; sinceMs(): number } | undefined
}

const UNREADABLE_MS = 10 * 60_000
/** How far clocks may lie apart where the store does not tell when it wrote something. */
const CLOCKS_APART_MS = 15 * 60_000

interface Found {
	readonly keys: string[]
	newest: { readonly key: string; readonly modifiedAt: Date | undefined }
}

/**
 * Every lease of a repository: one LIST, and one GET for each. Whether one is over is decided by the store's clock: that of the newest
 * object that it shows, our own lease if there is one; never by ours alone.
 */
export async function listLeases(storage: Storage, options: ListLeasesOptions = {}): Promise<ListedLease[]> {
	const { clock = () => new Date(), own, signal } = options
	const found = new Map<string, Found>()
	let newest = 0
	for await (const { key, modifiedAt } of storage.list(layout.leasesRoot, { signal })) {
		const [, token, name, ...rest] = key.split('/')
		if (token === undefined || !/^\d{6}\.json$/u.test(name ?? '') || rest.length > 0) continue
		newest = Math.max(newest, modifiedAt?.getTime() ?? 0)
		const known = found.get(token)
		if (known === undefined) found.set(token, { keys: [key], newest: { key, modifiedAt } })
		else {
			known.keys.push(key)
			if (key > known.newest.key) known.newest = { key, modifiedAt }
		}
	}
	const ours = own && found.get(own.token)?.newest.modifiedAt
	const storeNow = ours ? ours.getTime() + own.sinceMs() : Math.max(clock().getTime(), newest)
	const leases: ListedLease[] = []
	for (const [token, { keys, newest: last }] of found) {
		const record = await readLease(storage, last.key, signal)
		if (record === 'gone') continue
		const written = last.modifiedAt?.getTime()
		const ends =
			written === undefined
				? Date.parse(record?.at ?? new Date(0).toISOString()) + (record?.ttlMs ?? 0) + CLOCKS_APART_MS
				: written + (record?.ttlMs ?? UNREADABLE_MS)
		const now = written === undefined ? clock().getTime() : storeNow
		const isLive = now < ends && !(record !== undefined && isKnownDead(record.owner))
		leases.push({ token, record, endsAt: new Date(ends), isLive, keys })
	}
	return leases
}

async function readLease(
	storage: Storage,
	key: string,
	signal: AbortSignal | undefined,
): Promise<LeaseRecord | undefined | 'gone'> {
	try {
		const tooLarge = (size: number): BackupError => new BackupError('FORMAT_INVALID', `${key} has ${size} bytes`)
		return decodeLease(await readWhole(storage, key, MAX_LEASE_BYTES, tooLarge, { signal }), key)
	} catch (error) {
		// Released, or renewed under another name, since it was listed.
		if (isBackupError(error, 'STORAGE_NOT_FOUND')) return 'gone'
		if (!isBackupError(error, 'FORMAT_INVALID')) throw error
		return undefined
	}
}
