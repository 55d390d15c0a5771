import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import type { RestoreCollectionResult } from '@ydbackup/engine'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { restoredCollectionText } from '../../report/restored-collection.ts'

export default class CollectionRestore extends YdbackupCommand {
	static override summary = "let the cluster restore a collection's newest chain, and follow it to its true end"
	static override description =
		'it goes to the newest link and to the paths of the tables, where nothing may stand. A link that lacks a table, which the server would pass over without a word, is refused before. Any other link, path or choice of tables: ship the collection and use restore'
	static override examples = [
		'<%= config.bin %> <%= command.id %> nightly --dry-run',
		'<%= config.bin %> <%= command.id %> nightly --endpoint grpc://localhost:2136 --database /local',
		'<%= config.bin %> <%= command.id %> nightly --wait 7200 --json',
	]
	static override args = {
		name: Args.string({ required: true, description: 'the bare name of the collection' }),
	}
	static override flags = {
		...connectionFlags,
		wait: Flags.integer({
			min: 1,
			max: 7 * 86_400,
			default: 86_400,
			helpValue: 'SECONDS',
			description: 'how long the server may take; it goes on when this is over',
		}),
		'dry-run': Flags.boolean({ description: 'check everything, say what would be restored, and restore nothing' }),
	}

	async run(): Promise<RestoreCollectionResult> {
		const { args, flags } = await this.parse(CollectionRestore)
		const { restoreCollection } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using ydb = await openDatabase(flags, work)
		const restored = await restoreCollection({
			admin: ydb.collections,
			sink: ydb.sink,
			name: args.name,
			dryRun: flags['dry-run'],
			waitMs: flags.wait * 1000,
			signal: work.signal,
			onEvent: work.onEvent,
		})
		work.complete()
		this.show(flags, restoredCollectionText(restored))
		return restored
	}
}
