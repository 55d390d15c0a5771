import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { createdCollectionText } from '../../report/created-collection.ts'
import type { CreateCollectionResult } from '@ydbackup/engine'

export default class CollectionCreate extends YdbackupCommand {
	static override summary = 'create a backup collection inside the cluster'
	static override description =
		'a collection keeps full and incremental backups of its tables in the cluster (YDB 26.2 with enable_backup_service). Its tables cannot be changed later. What the server would find only at the first backup is found now: tables that are not there, that it cannot back up, or whose changes another collection takes'
	static override examples = [
		'<%= config.bin %> <%= command.id %> nightly --table shop/orders --table users --incremental',
		'<%= config.bin %> <%= command.id %> once --table /local/users --endpoint grpc://localhost:2136 --database /local --json',
	]
	static override args = {
		name: Args.string({ required: true, description: 'the bare name of the collection' }),
	}
	static override flags = {
		...connectionFlags,
		table: Flags.string({
			required: true,
			multiple: true,
			multipleNonGreedy: true,
			helpValue: 'PATH',
			description: 'a row table, absolute or relative to the database; may be given more than once',
		}),
		incremental: Flags.boolean({ default: false, description: 'the collection takes increments too' }),
		'omit-indexes': Flags.boolean({
			description:
				"leave the changes of indexes out of increments: the server's own RESTORE then has to build them anew",
		}),
	}

	async run(): Promise<CreateCollectionResult> {
		const { args, flags } = await this.parse(CollectionCreate)
		const { createCollection } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using ydb = await openDatabase(flags, work)
		const created = await createCollection({
			admin: ydb.collections,
			name: args.name,
			tables: flags.table,
			isIncremental: flags.incremental,
			omitIndexes: flags['omit-indexes'],
			signal: work.signal,
			onEvent: work.onEvent,
		})
		work.complete()
		this.show(flags, createdCollectionText(created))
		return created
	}
}
