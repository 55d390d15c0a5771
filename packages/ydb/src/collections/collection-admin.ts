import type { Driver } from '@ydbjs/core'
import {
	type CallOptions,
	type CollectionAdmin,
	type CollectionRestore,
	type CollectionSource,
	isBackupError,
	type RestoreProgress,
} from '@ydbackup/core'
import { SCHEME_QUERY_ISSUES } from '../call/failure.ts'
import { query, queryOnce } from '../call/query.ts'
import type { IsDone } from '../call/settle.ts'
import { listDirectory } from '../snapshot/copies.ts'
import { type BackupOperation, backupOperations } from './backup-operations.ts'
import { COLLECTIONS } from './collection-source.ts'
import { explained } from './explain.ts'
import { backupStatement, createStatement, dropStatement, restoreStatement } from './statements.ts'

/** A full backup is a consistent copy, which answers when it is made. */
const LIMIT_MS = 600_000

export function createCollectionAdmin(
	control: Driver,
	database: string,
	open: (name: string) => CollectionSource,
): CollectionAdmin {
	/** A statement that may not be carried out twice says how it is seen that it was; without that, it is sent once. */
	async function run(text: string, doing: string, { signal }: CallOptions, isDone?: IsDone): Promise<void> {
		const options = { doing, signal, limitMs: LIMIT_MS, meanings: SCHEME_QUERY_ISSUES }
		try {
			await (isDone ? query(control, text, { ...options, isDone }) : queryOnce(control, text, options))
		} catch (error) {
			throw isBackupError(error) ? explained(error) : error
		}
	}

	async function names(options: CallOptions = {}): Promise<string[]> {
		const children = (await listDirectory(control, `${database}/${COLLECTIONS}`, options)) ?? []
		return children.map(({ name }) => name).toSorted()
	}

	return {
		database,
		place: COLLECTIONS,
		open,
		names,

		async create(spec, options = {}) {
			const { name } = open(spec.name)
			const isDone = async (): Promise<boolean> => (await names(options)).includes(name)
			await run(createStatement(database, spec), `create the backup collection ${name}`, options, isDone)
		},

		async drop(given, options = {}) {
			const { name } = open(given)
			const isDone = async (): Promise<boolean> => !(await names(options)).includes(name)
			await run(dropStatement(name), `drop the backup collection ${name}`, options, isDone)
		},

		async backup(given, kind, options = {}) {
			const { name } = open(given)
			const what = kind === 'full' ? 'a full backup' : 'an increment'
			await run(backupStatement(name, kind), `take ${what} of the collection ${name}`, options)
		},

		async restore(given, options = {}) {
			const { name } = open(given)
			// Nothing says of which collection an operation is: ours is one that was not there before.
			const before = new Set((await backupOperations(control, 'restore', options)).map(({ id }) => id))
			const own = async (more: CallOptions): Promise<BackupOperation[]> =>
				(await backupOperations(control, 'restore', more)).filter(({ id }) => !before.has(id))
			try {
				await run(restoreStatement(name), `restore the collection ${name}`, options)
			} catch (error) {
				if (!isBackupError(error, 'DATABASE_UNREACHABLE') && !isBackupError(error, 'DEADLINE_EXCEEDED')) throw error
				if ((await own(options)).length === 0) throw error
			}
			const progress: CollectionRestore['progress'] = async (more = {}) => progressOf(await own(more))
			return { progress }
		},
	}
}

/** Servers may list no operation where a full backup alone is restored: that is done when the statement is answered. */
function progressOf(operations: readonly BackupOperation[]): RestoreProgress {
	const failed = operations.find(({ state }) => state === 'failed')
	if (failed !== undefined) return { state: 'failed', reason: failed.reason }
	const running = operations.find(({ state }) => state === 'running')
	return running === undefined ? { state: 'complete' } : { state: 'running', percent: running.percent }
}
