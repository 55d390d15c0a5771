import { OperationServiceDefinition } from '@ydbjs/api/operation'
import type { Driver } from '@ydbjs/core'
import { BackupError, type CallOptions, type ClusterOperation, isBackupError, type Operations } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { type Issue, refusalError, SUCCESS } from '../call/failure.ts'
import { type PatienceOptions, patiently } from '../call/patience.ts'
import { readOperation } from './read-operation.ts'

const CALL_MS = 30_000
const PAGE = 100n
const MOST_PAGES = 1_000
const NOT_FOUND = 400_140
/** The server may still be dropping copies of an export that it says is done. */
const FORGET_MS = 60_000

export function createOperations(driver: Driver): Operations {
	const client = driver.createClient(OperationServiceDefinition)

	/** One call, made again for as long as its failure is a passing one. */
	async function call<A extends { readonly status: number; readonly issues: readonly Issue[] }>(
		options: PatienceOptions,
		make: (signal: AbortSignal) => Promise<A>,
	): Promise<A> {
		return patiently(options, async () => {
			const answer = await bounded(options.signal, CALL_MS, make)
			if (answer.status !== SUCCESS) throw refusalError(answer, options.doing)
			return answer
		})
	}

	return {
		async list(kind, { signal } = {}) {
			const found: ClusterOperation[] = []
			let pageToken = ''
			for (let page = 0; page < MOST_PAGES; page++) {
				const request = { kind, pageSize: PAGE, pageToken }
				const answer = await call({ doing: `list the operations of kind ${kind}`, signal }, (bound) =>
					client.listOperations(request, { signal: bound }),
				)
				found.push(...answer.operations.map(readOperation))
				const next = answer.nextPageToken
				if (next === '' || next === '0' || next === pageToken) break
				pageToken = next
			}
			return found
		},

		async get(id, { signal } = {}) {
			const doing = `look at the operation ${id}`
			return patiently({ doing, signal }, async () => {
				const { operation } = await bounded(signal, CALL_MS, (bound) => client.getOperation({ id }, { signal: bound }))
				if (operation === undefined) throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: nothing was answered`)
				// One that has failed has its own status; what cannot be looked at has neither id nor metadata.
				const isRefused = operation.status !== SUCCESS && operation.id === '' && operation.metadata === undefined
				if (isRefused && operation.status === NOT_FOUND) throw notFound(id)
				if (isRefused) throw refusalError(operation, doing)
				return readOperation(operation)
			})
		},

		async cancel(id, { signal } = {}) {
			try {
				const doing = `cancel the operation ${id}`
				await call({ doing, signal }, (bound) => client.cancelOperation({ id }, { signal: bound }))
			} catch (error) {
				throw isBackupError(error, 'PATH_NOT_FOUND') ? notFound(id, error) : error
			}
		},

		async forget(id, { signal } = {}) {
			const doing = `forget the operation ${id}`
			try {
				await patiently({ doing, signal, budgetMs: FORGET_MS }, async () => {
					const answer = await bounded(signal, CALL_MS, (bound) => client.forgetOperation({ id }, { signal: bound }))
					if (answer.status !== SUCCESS) throw await refusedForget(id, refusalError(answer, doing), { signal })
				})
			} catch (error) {
				if (!isBackupError(error, 'PATH_NOT_FOUND')) throw error
			}
		},
	}

	/** A refusal passes when the operation has ended, and stays when it runs. */
	async function refusedForget(id: string, error: BackupError, { signal }: CallOptions): Promise<BackupError> {
		if (error.code === 'PATH_NOT_FOUND' || error.retry !== 'no') return error
		const { operation } = await bounded(signal, CALL_MS, (bound) => client.getOperation({ id }, { signal: bound }))
		if (operation === undefined || readOperation(operation).state === 'running') return error
		const { code, message, reason } = error
		return new BackupError(code, message, { retry: 'later', cause: error, ...(reason !== undefined && { reason }) })
	}
}

function notFound(id: string, cause?: unknown): BackupError {
	return new BackupError('OPERATION_NOT_FOUND', `there is no operation ${id}`, {
		advice: 'it was forgotten, or is of another database; ydbackup operation list KIND shows those that there are',
		cause,
	})
}
