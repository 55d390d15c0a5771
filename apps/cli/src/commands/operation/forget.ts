import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { operationId } from '../../operation/operation-id.ts'
import { type EndedOperation, endedOperationText } from '../../report/operations.ts'

export default class OperationForget extends YdbackupCommand {
	static override summary = "take an operation that has ended off the cluster's list"
	static override description =
		'of an export older servers keep copies of the tables until then. The cluster may refuse just after the end: it is asked again for a minute'
	static override examples = [
		'<%= config.bin %> <%= command.id %> "ydb://export/6?id=281474976788395&kind=s3" --endpoint grpc://localhost:2136 --database /local',
		'<%= config.bin %> <%= command.id %> "ydb://buildindex/7?id=281474976788395" --json',
	]
	static override args = { id: operationId }
	static override flags = { ...connectionFlags }

	async run(): Promise<EndedOperation> {
		const { args, flags } = await this.parse(OperationForget)
		const { signal } = this
		await using ydb = await openDatabase(flags, { signal })
		await ydb.transfers.operations.forget(args.id, { signal })
		const ended = { database: ydb.database, id: args.id, action: 'forgotten' as const }
		this.show(flags, endedOperationText(ended))
		return ended
	}
}
