import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
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
import { STATUS, YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import { type Running, told } from './operation.ts'
import type { StoreOperations } from './operations.ts'

const PAGE = 10
/** `export` and `import` alone are the older names. */
const KIND = /^(export|import)(?:\/s3)?$/
const OURS = /^ydb:\/\/(?:export|import)\//

/** Answers of the operation service about exports and imports. Undefined: another kind of operation. */
export function answerStoreOperations(
	operations: StoreOperations,
	method: string,
	request: Uint8Array,
	{ unknownProgress }: Pick<Faults, 'unknownProgress'>,
): Uint8Array | undefined {
	const about = (id: string, work: (running: Running) => void): { status: number; issues: object[] } => {
		try {
			work(operations.byId(id))
			return { status: STATUS.SUCCESS, issues: [] }
		} catch (error) {
			if (error instanceof YdbError) return { status: STATUS[error.status], issues: error.issues() }
			throw error
		}
	}
	switch (method) {
		case Service.listOperations.path: {
			const { kind, pageSize, pageToken } = fromBinary(ListOperationsRequestSchema, request)
			const [, wanted] = KIND.exec(kind) ?? []
			if (wanted === undefined) return undefined
			const all = operations.ofKind(wanted as Running['kind'])
			const from = Number(pageToken) || 0
			const to = from + (Number(pageSize) || PAGE)
			const response = create(ListOperationsResponseSchema, {
				status: STATUS.SUCCESS,
				operations: all.slice(from, to).map((each) => told(each, unknownProgress)),
				nextPageToken: to < all.length ? String(to) : '0',
			})
			return toBinary(ListOperationsResponseSchema, response)
		}
		case Service.getOperation.path: {
			const { id } = fromBinary(GetOperationRequestSchema, request)
			if (!OURS.test(id)) return undefined
			let operation: Operation | undefined
			const refused = about(id, (running) => (operation = told(running, unknownProgress)))
			operation ??= create(OperationSchema, { ready: true, ...refused } as never)
			return toBinary(GetOperationResponseSchema, create(GetOperationResponseSchema, { operation }))
		}
		case Service.cancelOperation.path: {
			const { id } = fromBinary(CancelOperationRequestSchema, request)
			if (!OURS.test(id)) return undefined
			const answer = about(id, (running) => operations.cancel(running))
			return toBinary(CancelOperationResponseSchema, create(CancelOperationResponseSchema, answer as never))
		}
		case Service.forgetOperation.path: {
			const { id } = fromBinary(ForgetOperationRequestSchema, request)
			if (!OURS.test(id)) return undefined
			const answer = about(id, (running) => operations.forget(running))
			return toBinary(ForgetOperationResponseSchema, create(ForgetOperationResponseSchema, answer as never))
		}
		default:
			return undefined
	}
}
