import { QueryServiceDefinition } from '@ydbjs/api/query'
import type { Driver } from '@ydbjs/core'
import { BackupError, isBackupError } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { callError, refusalError, SUCCESS } from '../call/failure.ts'
import { openSession } from '../call/session.ts'

const CALL_MS = 15_000

/** A transaction that only reads, and sees all tables as of one moment: that of its first query. It lives as long as its session. */
export interface QuerySnapshot {
	readonly sessionId: string
	readonly txId: string
	/** Does one thing after the other: a session carries out one query at a time. */
	inTurn<T>(work: () => AsyncGenerator<T>): AsyncGenerator<T>
	/** May be called twice. */
	close(): Promise<void>
}

/** Begins one, in one try: until its first query it has seen nothing, so that whoever wants it may try again. */
export async function openQuerySnapshot(
	driver: Driver,
	doing: string,
	signal: AbortSignal | undefined,
): Promise<QuerySnapshot> {
	const session = await openSession(driver, doing, signal)
	const { sessionId } = session
	try {
		const client = driver.createClient(QueryServiceDefinition)
		const txSettings = { txMode: { case: 'snapshotReadOnly' as const, value: {} } }
		const { status, issues, txMeta } = await bounded(signal, CALL_MS, (bound) =>
			client.beginTransaction({ sessionId, txSettings }, { signal: bound }),
		)
		if (status !== SUCCESS) throw refusalError({ status, issues }, doing)
		let last: Promise<void> = Promise.resolve()
		return {
			sessionId,
			txId: txMeta?.id ?? '',
			async *inTurn(work) {
				const before = last
				const { promise, resolve } = Promise.withResolvers<void>()
				last = promise
				try {
					await before
					yield* work()
				} finally {
					resolve()
				}
			},
			close: async () => session.close(),
		}
	} catch (error) {
		session.close()
		throw callError(error, doing)
	}
}

/** What the server answers when it does not know the transaction or its session any more. */
const LOST = new Set(['BAD_SESSION', 'SESSION_EXPIRED', 'NOT_FOUND', 'ABORTED'])

/** Another transaction would see another moment: a snapshot that is gone ends what was read from it. */
export function lostSnapshot(error: unknown, doing: string): unknown {
	if (!isBackupError(error) || error.reason === undefined || !LOST.has(error.reason)) return error
	return new BackupError(
		'DATABASE_UNREACHABLE',
		`cannot ${doing}: the transaction that column tables are read in is gone: ${error.message}`,
		{
			retry: 'no',
			advice:
				'start again; a node that restarted ends the transactions that it holds, and servers end those that last too long',
			cause: error,
		},
	)
}
