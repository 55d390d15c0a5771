import { OperationServiceDefinition } from '@ydbjs/api/operation'
import type { Driver } from '@ydbjs/core'
import type { CallOptions } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { refusalError, SUCCESS } from '../call/failure.ts'
import { patiently } from '../call/patience.ts'

export interface BackupOperation {
	/** The number of the transaction that began it, from the operation's id; undefined when the id has none. */
	readonly txId: string | undefined
	readonly state: 'complete' | 'running' | 'failed'
}

const PAGE = 100n
const MOST_PAGES = 1_000

/**
 * The operations of `BACKUP … INCREMENTAL` that the server remembers: the statement answers before its change tables are written. One
 * that has failed is ready too. Source: `ydb/core/grpc_services` (kind `incbackup`), not verified against a server.
 */
export async function backupOperations(driver: Driver, { signal }: CallOptions): Promise<BackupOperation[]> {
	const client = driver.createClient(OperationServiceDefinition)
	const doing = 'list the operations of incremental backups'
	const found: BackupOperation[] = []
	let pageToken = ''
	for (let page = 0; page < MOST_PAGES; page++) {
		const answer = await patiently({ doing, signal }, async () => {
			const request = { kind: 'incbackup', pageSize: PAGE, pageToken }
			const listed = await bounded(signal, 30_000, (bound) => client.listOperations(request, { signal: bound }))
			if (listed.status !== SUCCESS) throw refusalError({ status: listed.status, issues: listed.issues }, doing)
			return listed
		})
		for (const { id, ready, status } of answer.operations) {
			const state = !ready ? 'running' : status === SUCCESS ? 'complete' : 'failed'
			found.push({ txId: /[?&]id=(\d+)/u.exec(id)?.[1], state })
		}
		if (answer.nextPageToken === '' || answer.nextPageToken === '0' || answer.nextPageToken === pageToken) return found
		pageToken = answer.nextPageToken
	}
	return found
}
