import type { Driver } from '@ydbjs/core'
import { isBackupError } from '@ydbackup/core'
import { query } from '../call/query.ts'

export interface Moment {
	/** RFC 3339, UTC, microseconds. */
	readonly text: string
	readonly clock: 'server' | 'client'
}

function spell(micros: bigint): string {
	const seconds = new Date(Number(micros / 1000n)).toISOString().slice(0, 19)
	return `${seconds}.${String(micros % 1_000_000n).padStart(6, '0')}Z`
}

/** The server's time, or ours where the server does not tell. */
export async function now(driver: Driver, signal: AbortSignal | undefined): Promise<Moment> {
	try {
		const [row] = await query(driver, 'SELECT CurrentUtcTimestamp() AS now;', {
			doing: 'ask for the time of the server',
			signal,
			budgetMs: 10_000,
			limitMs: 10_000,
		})
		const value = row?.items[0]?.value
		if (value?.case === 'uint64Value') return { text: spell(value.value), clock: 'server' }
	} catch (error) {
		if (!isBackupError(error) || error.code === 'INTERRUPTED' || error.kind === 'permission') throw error
	}
	return { text: spell(BigInt(Date.now()) * 1000n), clock: 'client' }
}
