import { randomBytes } from 'node:crypto'

import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import { encodeLease, type LeasePurpose } from './lease-record.ts'
import { type ListedLease, listLeases } from './list-leases.ts'
import { thisOwner } from './owner.ts'

export interface LeaseOptions extends CallOptions {
	readonly purpose: LeasePurpose
	readonly backups: readonly string[]
	/** Nobody else may have a live lease on one of the backups. Needs rights to list. */
	readonly isExclusive?: boolean | undefined
	readonly ttlMs?: number | undefined
	readonly renewEveryMs?: number | undefined
	readonly clock?: (() => Date) | undefined
}

/** A lease that this process holds and renews by itself, until it is released. */
export interface Lease extends AsyncDisposable {
	readonly token: string
	/** Milliseconds since the store was last asked to write it. */
	sinceMs(): number
	/** Errors: `LEASE_LOST` when it could not be renewed in time: then others may believe that we are dead. */
	assertHeld(): void
	/** All live leases of others, by the store's clock. */
	others(options?: CallOptions): Promise<ListedLease[]>
	/** Gives it up. A store that does not let us delete keeps it until its time is over. */
	release(): Promise<void>
}

const TTL_MS = 10 * 60_000
/** What must be left of it for something that is begun now. */
const MARGIN = 0.2
const RELEASE_MS = 15_000

/**
 * Takes a lease: tells everybody who lists that these backups are in use. It does not wait. Errors: `LEASED` with `isExclusive`, when
 * somebody else has one of them; when two ask at the same moment, both may be refused. What the store says.
 */
export async function takeLease(storage: Storage, options: LeaseOptions): Promise<Lease> {
	const { purpose, backups, ttlMs = TTL_MS, renewEveryMs = ttlMs / 5, clock = () => new Date(), signal } = options
	const owner = thisOwner()
	const token = randomBytes(10).toString('hex')
	const ifAbsent = storage.capabilities.conditionalCreate === true ? { ifAbsent: true } : {}
	let renewal = 0
	let held = { mono: performance.now(), wall: Date.now() }
	let isReleased = false
	let written: string | undefined
	let timer: NodeJS.Timeout | undefined
	let renewing: Promise<void> | undefined

	async function write(by: AbortSignal | undefined): Promise<void> {
		const begun = { mono: performance.now(), wall: Date.now() }
		const key = layout.leaseKey(token, renewal++)
		const bytes = encodeLease({ purpose, backups, owner, at: clock().toISOString(), ttlMs })
		await storage.put(key, bytes, { size: bytes.length, signal: by, ...ifAbsent }).catch((error: unknown) => {
			// Nobody else has our token: an answer was lost, and the put was made again.
			if (!isBackupError(error, 'STORAGE_ALREADY_EXISTS')) throw error
		})
		held = begun
		const before = written
		written = key
		if (before !== undefined) await storage.delete(before, { signal: by }).catch(() => undefined)
	}

	// Monotonic time stands still while a machine sleeps, and a wall clock may be set: the longer one counts.
	const sinceMs = (): number => Math.max(performance.now() - held.mono, Date.now() - held.wall)

	function schedule(): void {
		timer = setTimeout(() => {
			// What fails is tried again at the next turn; `assertHeld` sees when that has been too long.
			renewing = write(AbortSignal.timeout(ttlMs))
				.catch(() => undefined)
				.finally(() => {
					if (!isReleased) schedule()
				})
		}, renewEveryMs)
		timer.unref()
	}

	const lease: Lease = {
		token,
		sinceMs,
		assertHeld() {
			if (sinceMs() < ttlMs * (1 - MARGIN)) return
			throw new BackupError(
				'LEASE_LOST',
				`the lease on ${named(backups)} could not be renewed for ${Math.round(sinceMs() / 1000)} s: somebody else may have taken over`,
				{ advice: 'nothing more was done; check the storage, then run again', retry: 'later' },
			)
		},
		async others(by = {}) {
			const all = await listLeases(storage, { ...by, clock, own: lease })
			return all.filter((one) => one.isLive && one.token !== token)
		},
		async release() {
			if (isReleased) return
			isReleased = true
			clearTimeout(timer)
			await renewing
			if (written === undefined) return
			await storage.delete(written, { signal: AbortSignal.timeout(RELEASE_MS) }).catch(() => undefined)
		},
		[Symbol.asyncDispose]: () => lease.release(),
	}

	await write(signal)
	if (options.isExclusive === true) {
		try {
			const taken = (await lease.others({ signal })).find(
				(one) => one.record === undefined || one.record.backups.some((id) => backups.includes(id)),
			)
			if (taken !== undefined) throw leased(backups, taken)
		} catch (error) {
			await lease.release()
			throw error
		}
	}
	schedule()
	return lease
}

/** As {@link takeLease}; undefined, after telling `warn` why, where the store does not let us write: reading needs no rights to write. */
export async function takeLeaseIfAllowed(
	storage: Storage,
	options: LeaseOptions,
	warn: (reason: string) => void,
): Promise<Lease | undefined> {
	try {
		return await takeLease(storage, options)
	} catch (error) {
		if (!isBackupError(error, 'STORAGE_PERMISSION')) throw error
		warn(
			`no lease could be taken, because the repository may not be written: see that nobody prunes or deletes ${named(options.backups)} meanwhile`,
		)
		return undefined
	}
}

export function leased(backups: readonly string[], { record, endsAt }: ListedLease): BackupError {
	const ids = record?.backups.filter((id) => backups.includes(id)) ?? backups
	return new BackupError('LEASED', `${named(ids)} is in use: ${leaseText(record)}, until ${endsAt.toISOString()}`, {
		advice: 'wait for it to end; the lease of a process that died ends by itself at that time',
		retry: 'later',
	})
}

/** `restore by process 17 of db1` */
export function leaseText(record: ListedLease['record']): string {
	return record === undefined
		? 'a lease that cannot be read'
		: `${record.purpose} by process ${record.owner.pid} of ${record.owner.host}`
}

function named(ids: readonly string[]): string {
	return ids.length <= 3 ? ids.join(', ') : `${ids.slice(0, 3).join(', ')} and ${ids.length - 3} more`
}
