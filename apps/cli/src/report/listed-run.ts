import type { ListedLease, ListedRun as CatalogRun } from '@ydbackup/catalog'
import { printable } from '../output/printable.ts'
import { spellAge, spellTime } from '../output/quantity.ts'

/** A run that has not ended: it still goes on, or it was stopped or killed and has left copies behind. */
export type ListedRun =
	| {
			/** `running`: somebody has a lease on it. */
			readonly state: 'running' | 'left'
			readonly id: string
			readonly kind: string
			readonly database: string
			/** Where its copies are, relative to the database. */
			readonly workDirectory: string
			readonly startedAt: string
			readonly host: string
			readonly pid: number
			/** Until then it counts as running, even when its process has died. */
			readonly leaseEndsAt?: string
			/** The backup collection that it shipped. */
			readonly collection?: string
	  }
	| {
			readonly state: 'damaged'
			readonly id: string
			readonly error: { readonly code: string; readonly message: string }
	  }

/** `leases` are those that are live: whoever has one on the run is at work with it. */
export function listedRun(run: CatalogRun, leases: readonly ListedLease[]): ListedRun {
	const { id, record, error } = run
	if (record === undefined) return { state: 'damaged', id, error: { code: error.code, message: error.message } }
	const { kind = 'backup', database, workDirectory, startedAt, host, pid, collection } = record
	const lease = leases.find((one) => one.isLive && one.record?.backups.includes(id))
	const owner = lease?.record?.owner ?? { host, pid }
	return {
		state: lease === undefined ? 'left' : 'running',
		id,
		kind,
		database,
		workDirectory,
		startedAt,
		host: owner.host,
		pid: owner.pid,
		...(lease && { leaseEndsAt: lease.endsAt.toISOString() }),
		...(collection && { collection }),
	}
}

export function listedRunText(run: ListedRun, now: Date): string {
	if (run.state === 'damaged') return `unfinished: ${printable(run.id)}: ${printable(run.error.message)}`
	const { id, kind, startedAt, host, pid, state, collection, leaseEndsAt = '' } = run
	if (kind === 'kept-copy') {
		const place = printable(`${run.database}/${run.workDirectory}`)
		return `left over: the copy in ${place}, of the deleted backup ${id}; ydbackup backup gc drops it`
	}
	const next =
		collection !== undefined
			? `the next collection ship ${printable(collection)} clears it away`
			: kind === 'backup'
				? `go on with ydbackup backup resume ${id}, or give it up with ydbackup backup gc`
				: kind === 'copy'
					? 'run the ydbackup backup copy again, or give it up with ydbackup backup gc'
					: `it is a run of kind ${printable(kind)}`
	const owner = `process ${pid} of ${printable(host)}`
	const what = {
		running: `goes on as ${owner}, or ended without a word and counts as such from ${spellTime(leaseEndsAt)}`,
		left: `by ${owner}, was cut off; ${next}`,
	}[state]
	return `unfinished: ${id}, begun ${spellAge(now.getTime() - Date.parse(startedAt))} ago, ${what}`
}
