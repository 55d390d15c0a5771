import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { Operation } from '@ydbjs/api/operation'
import { BackupError } from '@ydbackup/core'
import { refusalError, SUCCESS } from './failure.ts'

interface Answer {
	readonly operation?: Operation | undefined
}

/** Throws unless the operation of a response is finished and succeeded. */
export function mustSucceed({ operation }: Answer, doing: string): Operation {
	if (!operation) throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: the answer has no operation`)
	if (operation.status !== SUCCESS) throw refusalError({ status: operation.status, issues: operation.issues }, doing)
	return operation
}

/** The result of an operation that succeeded. */
export function resultOf<D extends DescMessage>(schema: D, answer: Answer, doing: string): MessageShape<D> {
	const { result } = mustSucceed(answer, doing)
	const message = result && anyUnpack(result, schema)
	if (!message) throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: the answer has no result`)
	return message
}
