import type { CallOptions, Operations } from '@ydbackup/core'
import { YdbackupCommand } from '../command.ts'
import { connectionFlags } from '../connection/connection-flags.ts'
import { openDatabase } from '../connection/open-database.ts'
import { type EndedOperation, endedOperationText } from '../report/operations.ts'
import { operationId } from './operation-id.ts'

/** A command that asks the cluster for one last thing of one operation. */
export abstract class EndOperation extends YdbackupCommand {
	static override args = { id: operationId }
	static override flags = { ...connectionFlags }

	protected abstract readonly action: EndedOperation['action']

	protected abstract end(operations: Operations, id: string, options: CallOptions): Promise<void>

	async run(): Promise<EndedOperation> {
		const { args, flags } = await this.parse(EndOperation)
		const { signal } = this
		await using ydb = await openDatabase(flags, { signal })
		await this.end(ydb.transfers.operations, args.id, { signal })
		const ended = { database: ydb.database, id: args.id, action: this.action }
		this.show(flags, endedOperationText(ended))
		return ended
	}
}
