import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import {
	CancelOperationRequestSchema,
	CancelOperationResponseSchema,
	ForgetOperationRequestSchema,
	ForgetOperationResponseSchema,
	GetOperationRequestSchema,
	GetOperationResponseSchema,
	ListOperationsRequestSchema,
	ListOperationsResponseSchema,
	type Operation,
	OperationSchema,
	OperationServiceDefinition as Service,
} from '@ydbjs/api/operation'
import { type Issue, STATUS, type StatusName, YdbError } from '../error.ts'
import type { Generation } from './change-table.ts'

/** Work that goes on after its statement was answered. */
export interface Running {
	readonly kind: 'incbackup' | 'restore'
	readonly txId: number
	/** The path of the collection. */
	readonly collection: string
	/** Tables, absolute: logs or change tables, and where they go. */
	readonly parts: readonly { readonly from: string; readonly to: string; readonly step?: number }[]
	readonly generation: Generation
	readonly at: number
	/** Steps in all, and done. */
	readonly total: number
	done: number
	end: { readonly failure: string | undefined } | undefined
}

/** Numbers of `Ydb.TOperationId.EKind` and names of metadata. Source: operation_id.proto, draft/ydb_backup.proto. */
const KINDS = {
	incbackup: { number: 11, metadata: 'Ydb.Backup.IncrementalBackupMetadata', spelled: 'incremental backup' },
	restore: { number: 12, metadata: 'Ydb.Backup.RestoreMetadata', spelled: 'incremental restore' },
} as const
const PREPARING = 1
const TRANSFER = 2
const DONE = 3
const PAGE = 10

export class BackgroundOperations {
	readonly #all = new Map<number, Running>()

	add(operation: Omit<Running, 'done' | 'end'>): void {
		this.#all.set(operation.txId, { ...operation, done: 0, end: undefined })
	}

	get(txId: number): Running | undefined {
		return this.#all.get(txId)
	}

	forget(txId: number): void {
		this.#all.delete(txId)
	}

	running(): Running[] {
		return [...this.#all.values()].filter(({ end }) => !end)
	}

	/** The newest first. */
	ofKind(kind: string): Running[] {
		return [...this.#all.values()].filter((each) => each.kind === kind).toReversed()
	}

	/** The operation of an id, `ydb://restore/12?id=7`. */
	byId(id: string): Running {
		const found = this.#all.get(Number(/[?&]id=(\d+)/.exec(id)?.[1] ?? Number.NaN))
		if (!found || !id.includes(`://${found.kind}/`)) throw new YdbError('NOT_FOUND', 'Operation not found')
		return found
	}
}

/** The percentage of a restore. Source: backup-collections, section 6. */
function percentOf({ kind, total, done, end }: Running): number {
	if (end) return 100
	if (kind === 'incbackup') return 0
	return total === 0 ? 1 : 1 + Math.floor((done * 97) / total)
}

/** A failed one is done, too, and ready; that it succeeded is said by its status only. */
function told(running: Running): Operation {
	const { kind, txId, done, end } = running
	const { number, metadata } = KINDS[kind]
	const progress = end ? DONE : kind === 'restore' && done === 0 ? PREPARING : TRANSFER
	return create(OperationSchema, {
		id: `ydb://${kind}/${number}?id=${txId}`,
		ready: end !== undefined,
		status: end?.failure === undefined ? STATUS.SUCCESS : STATUS.GENERIC_ERROR,
		issues: end?.failure === undefined ? [] : [{ message: end.failure, severity: 1 }],
		metadata: create(AnySchema, {
			typeUrl: `type.googleapis.com/${metadata}`,
			value: Uint8Array.of(0x08, progress, 0x10, percentOf(running)),
		}),
	})
}

const refusal = (error: YdbError): { status: number; issues: Issue[] } => ({
	status: STATUS[error.status],
	issues: error.issues(),
})

/** Answers of the operation service. `forget` keeps what it does. Undefined: another service. */
export function answerOperations(
	operations: BackgroundOperations,
	method: string,
	request: Uint8Array,
	forget: (txId: number) => void,
): Uint8Array | undefined {
	const refusing = <T>(work: () => T, refused: (about: { status: number; issues: Issue[] }) => T): T => {
		try {
			return work()
		} catch (error) {
			if (error instanceof YdbError) return refused(refusal(error))
			throw error
		}
	}
	const done: StatusName = 'SUCCESS'
	switch (method) {
		case Service.listOperations.path: {
			const { kind, pageSize, pageToken } = fromBinary(ListOperationsRequestSchema, request)
			const all = operations.ofKind(kind)
			const from = Number(pageToken) || 0
			const to = from + (Number(pageSize) || PAGE)
			return toBinary(
				ListOperationsResponseSchema,
				create(ListOperationsResponseSchema, {
					status: STATUS[done],
					operations: all.slice(from, to).map(told),
					nextPageToken: to < all.length ? String(to) : '0',
				}),
			)
		}
		case Service.getOperation.path: {
			const { id } = fromBinary(GetOperationRequestSchema, request)
			const operation = refusing(
				() => told(operations.byId(id)),
				({ status, issues }) =>
					create(OperationSchema, {
						ready: true,
						status,
						issues: issues.map(({ message }) => ({ message, severity: 1 })),
					}),
			)
			return toBinary(GetOperationResponseSchema, create(GetOperationResponseSchema, { operation }))
		}
		case Service.forgetOperation.path: {
			const { id } = fromBinary(ForgetOperationRequestSchema, request)
			const about = refusing(
				() => {
					const found = operations.byId(id)
					if (!found.end) throw new YdbError('PRECONDITION_FAILED', 'Operation is in progress')
					forget(found.txId)
					return { status: STATUS[done] as number, issues: [] as Issue[] }
				},
				(refused) => refused,
			)
			return toBinary(ForgetOperationResponseSchema, create(ForgetOperationResponseSchema, about as never))
		}
		case Service.cancelOperation.path: {
			const { id } = fromBinary(CancelOperationRequestSchema, request)
			const about = refusing(
				() => {
					const { spelled } = KINDS[operations.byId(id).kind]
					throw new YdbError('UNSUPPORTED', `Cancel isn't supported for ${spelled} yet`)
				},
				(refused) => refused,
			)
			return toBinary(CancelOperationResponseSchema, create(CancelOperationResponseSchema, about as never))
		}
		default:
			return undefined
	}
}
