import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { operationId } from '../../operation/operation-id.ts'
import { shownOperation, type ShownOperation, shownOperationText } from '../../report/operations.ts'

export default class OperationShow extends YdbackupCommand {
	static override summary = 'show how far an operation of the cluster is, or why it failed'
	static override examples = [
		'<%= config.bin %> <%= command.id %> "ydb://export/6?id=281474976788395&kind=s3" --endpoint grpc://localhost:2136 --database /local',
		'<%= config.bin %> <%= command.id %> "ydb://incbackup/11?id=7" --json',
	]
	static override args = { id: operationId }
	static override flags = { ...connectionFlags }

	async run(): Promise<{ readonly database: string } & ShownOperation> {
		const { args, flags } = await this.parse(OperationShow)
		const { signal } = this
		await using ydb = await openDatabase(flags, { signal })
		const shown = { database: ydb.database, ...shownOperation(await ydb.transfers.operations.get(args.id, { signal })) }
		this.show(flags, shownOperationText(shown))
		return shown
	}
}
