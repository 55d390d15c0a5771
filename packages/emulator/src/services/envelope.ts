import { create, type DescMessage, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { type Operation, OperationSchema } from '@ydbjs/api/operation'
import { STATUS, YdbError } from '../error.ts'

export function asYdbError(error: unknown): YdbError {
	if (error instanceof YdbError) return error
	return new YdbError('INTERNAL_ERROR', error instanceof Error ? (error.stack ?? error.message) : String(error))
}

export function success<D extends DescMessage>(schema?: D, result?: MessageShape<D>): Operation {
	const packed = schema && result ? { result: anyPack(schema, result) } : {}
	return create(OperationSchema, { id: '', ready: true, status: STATUS.SUCCESS, ...packed })
}

export function failure(error: YdbError): Operation {
	const init = { id: '', ready: true, status: STATUS[error.status], issues: error.issues() }
	return create(OperationSchema, init as MessageInitShape<typeof OperationSchema>)
}

/** Every response of these services has its operation in field 1: one encoding serves them all. */
export function operationResponse(operation: Operation): Uint8Array {
	const body = toBinary(OperationSchema, operation)
	const head = [0x0a]
	for (let rest = body.length; ; rest >>>= 7) {
		head.push(rest > 127 ? (rest & 127) | 128 : rest)
		if (rest <= 127) break
	}
	return Buffer.concat([Buffer.from(head), body])
}
