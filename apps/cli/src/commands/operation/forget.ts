import type { CallOptions, Operations } from '@ydbackup/core'
import { EndOperation } from '../../operation/end-operation.ts'

export default class OperationForget extends EndOperation {
	static override summary = "take an operation that has ended off the cluster's list"
	static override description =
		'of an export older servers keep copies of the tables until then. The cluster may refuse just after the end: it is asked again for a minute'
	static override examples = [
		'<%= config.bin %> <%= command.id %> "ydb://export/6?id=281474976788395&kind=s3" --endpoint grpc://localhost:2136 --database /local',
		'<%= config.bin %> <%= command.id %> "ydb://buildindex/7?id=281474976788395" --json',
	]

	protected readonly action = 'forgotten'

	protected async end(operations: Operations, id: string, options: CallOptions): Promise<void> {
		await operations.forget(id, options)
	}
}
