import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { operationId } from '../../operation/operation-id.ts'
import { type EndedOperation, endedOperationText } from '../../report/operations.ts'

export default class OperationCancel extends YdbackupCommand {
	static override summary = 'ask the cluster to stop an operation'
	static override description =
		'what it has done so far stays where it is. Operations on backup collections cannot be stopped'
	static override examples = [
		'<%= config.bin %> <%= command.id %> "ydb://export/6?id=281474976788395&kind=s3" --endpoint grpc://localhost:2136 --database /local',
		'<%= config.bin %> <%= command.id %> "ydb://buildindex/7?id=281474976788395" --json',
	]
	static override args = { id: operationId }
	static override flags = { ...connectionFlags }

	async run(): Promise<EndedOperation> {
		const { args, flags } = await this.parse(OperationCancel)
		const { signal } = this
		await using ydb = await openDatabase(flags, { signal })
		await ydb.transfers.operations.cancel(args.id, { signal })
		const ended = { database: ydb.database, id: args.id, action: 'cancelled' as const }
		this.show(flags, endedOperationText(ended))
		return ended
	}
}
