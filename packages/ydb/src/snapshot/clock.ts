import type { Driver } from '@ydbjs/core'
import { isBackupError, type Snapshot } from '@ydbackup/core'
import { query } from '../call/query.ts'

/** Microseconds since the epoch by our clock, and by the server's where it tells. */
export interface Moment {
	readonly client: bigint
	readonly server: bigint | undefined
}

function spell(micros: bigint): string {
	const seconds = new Date(Number(micros / 1000n)).toISOString().slice(0, 19)
	return `${seconds}.${String(micros % 1_000_000n).padStart(6, '0')}Z`
}

export async function now(driver: Driver, signal: AbortSignal | undefined): Promise<Moment> {
	const client = BigInt(Date.now()) * 1000n
	try {
		const [row] = await query(driver, 'SELECT CurrentUtcTimestamp() AS now;', {
			doing: 'ask for the time of the server',
			signal,
			budgetMs: 10_000,
			limitMs: 10_000,
		})
		const value = row?.items[0]?.value
		return { client, server: value?.case === 'uint64Value' ? value.value : undefined }
	} catch (error) {
		if (!isBackupError(error) || error.code === 'INTERRUPTED' || error.kind === 'permission') throw error
		return { client, server: undefined }
	}
}

/** Two moments by one clock: the server's, or ours when the server did not tell both. */
export function momentsBetween(first: Moment, last: Moment): Pick<Snapshot, 'after' | 'before' | 'clock'> {
	if (first.server !== undefined && last.server !== undefined)
		return { after: spell(first.server), before: spell(last.server), clock: 'server' }
	return { after: spell(first.client), before: spell(last.client), clock: 'client' }
}
