import * as Args from '@oclif/core/args'
import { OPERATION_KINDS } from '@ydbackup/core'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { type ListedOperations, listedOperationsText, shownOperation } from '../../report/operations.ts'

export default class OperationList extends YdbackupCommand {
	static override summary = 'list the long operations of one kind that the cluster remembers'
	static override description = `kinds are ${OPERATION_KINDS.join(', ')}; incbackup and restore are of backup collections. Any other kind is given to the server as it is`
	static override examples = [
		'<%= config.bin %> <%= command.id %> export/s3 --endpoint grpc://localhost:2136 --database /local',
		'<%= config.bin %> <%= command.id %> incbackup --json',
	]
	static override args = {
		kind: Args.string({ default: 'export/s3', ignoreStdin: true, description: 'kind of operation' }),
	}
	static override flags = { ...connectionFlags }

	async run(): Promise<ListedOperations> {
		const { args, flags } = await this.parse(OperationList)
		const { signal } = this
		await using ydb = await openDatabase(flags, { signal })
		const operations = await ydb.transfers.operations.list(args.kind, { signal })
		const listed = { database: ydb.database, kind: args.kind, operations: operations.map(shownOperation) }
		this.show(flags, listedOperationsText(listed))
		return listed
	}
}
