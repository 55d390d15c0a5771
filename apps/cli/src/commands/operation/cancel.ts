import type { CallOptions, Operations } from '@ydbackup/core'
import { EndOperation } from '../../operation/end-operation.ts'

export default class OperationCancel extends EndOperation {
	static override summary = 'ask the cluster to stop an operation'
	static override description =
		'what it has done so far stays where it is. Operations on backup collections cannot be stopped'
	static override examples = [
		'<%= config.bin %> <%= command.id %> "ydb://export/6?id=281474976788395&kind=s3" --endpoint grpc://localhost:2136 --database /local',
		'<%= config.bin %> <%= command.id %> "ydb://buildindex/7?id=281474976788395" --json',
	]

	protected readonly action = 'cancelled'

	protected async end(operations: Operations, id: string, options: CallOptions): Promise<void> {
		await operations.cancel(id, options)
	}
}
