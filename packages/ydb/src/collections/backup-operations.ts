import { BinaryReader } from '@bufbuild/protobuf/wire'
import { OperationServiceDefinition } from '@ydbjs/api/operation'
import type { Driver } from '@ydbjs/core'
import type { CallOptions } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { refusalError, SUCCESS } from '../call/failure.ts'
import { patiently } from '../call/patience.ts'

export interface BackupOperation {
	readonly id: string
	/** The number of the transaction that began it, from the operation's id; undefined when the id has none. */
	readonly txId: string | undefined
	readonly state: 'complete' | 'running' | 'failed'
	/** 0 to 100; of one that failed 100, too. Undefined where the server does not say. */
	readonly percent: number | undefined
	/** What the server says of a failure. */
	readonly reason: string | undefined
}

const PAGE = 100n
const MOST_PAGES = 1_000

/**
 * The operations of `BACKUP … INCREMENTAL` or of `RESTORE` that the server remembers: the statements answer before their work is done. One
 * that has failed is ready too. Source: `ydb/core/grpc_services`, not verified against a server.
 */
export async function backupOperations(
	driver: Driver,
	kind: 'incbackup' | 'restore',
	{ signal }: CallOptions,
): Promise<BackupOperation[]> {
	const client = driver.createClient(OperationServiceDefinition)
	const doing = `list the operations of ${kind === 'restore' ? 'restores' : 'incremental backups'}`
	const found: BackupOperation[] = []
	let pageToken = ''
	for (let page = 0; page < MOST_PAGES; page++) {
		const answer = await patiently({ doing, signal }, async () => {
			const request = { kind, pageSize: PAGE, pageToken }
			const listed = await bounded(signal, 30_000, (bound) => client.listOperations(request, { signal: bound }))
			if (listed.status !== SUCCESS) throw refusalError({ status: listed.status, issues: listed.issues }, doing)
			return listed
		})
		for (const { id, ready, status, issues, metadata } of answer.operations) {
			const state = !ready ? 'running' : status === SUCCESS ? 'complete' : 'failed'
			const percent = metadata && percentOf(metadata.value)
			const reason = state === 'failed' ? refusalError({ status, issues }, 'finish it').message : undefined
			found.push({ id, txId: /[?&]id=(\d+)/u.exec(id)?.[1], state, percent, reason })
		}
		if (answer.nextPageToken === '' || answer.nextPageToken === '0' || answer.nextPageToken === pageToken) return found
		pageToken = answer.nextPageToken
	}
	return found
}

/** `progress_percent` of `Ydb.Backup.RestoreMetadata` and its fellows. Source: `ydb/public/api/protos/draft/ydb_backup.proto`. */
function percentOf(metadata: Uint8Array): number | undefined {
	try {
		const reader = new BinaryReader(metadata)
		while (reader.pos < reader.len) {
			const [field, type] = reader.tag()
			if (field === 2) return reader.int32()
			reader.skip(type, field)
		}
	} catch {
		// Another message than that of today: it says nothing.
	}
	return undefined
}
