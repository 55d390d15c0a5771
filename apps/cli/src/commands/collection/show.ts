import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { type ShownCollection, shownCollectionText } from '../../report/shown-collection.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { streamHoursFlag } from '../../run/stream-hours-flag.ts'

export default class CollectionShow extends YdbackupCommand {
	static override summary =
		'show a backup collection: its tables, its links in the cluster, and what the next increment needs'
	static override description =
		'with a repository, it says too which links have been shipped. The server tells the tables of a collection nowhere, so they are those of its newest link'
	static override examples = [
		'<%= config.bin %> <%= command.id %> nightly',
		'<%= config.bin %> <%= command.id %> nightly --repo /srv/backups --count --json',
	]
	static override args = {
		name: Args.string({ required: true, description: 'the bare name of the collection' }),
	}
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		count: Flags.boolean({ description: 'count the rows of each link, a full scan of its tables' }),
		'stream-hours': streamHoursFlag,
	}

	async run(): Promise<ShownCollection> {
		const { args, flags } = await this.parse(CollectionShow)
		const { describeCollection } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened =
			flags.repo === undefined
				? undefined
				: await openRepository({ config: this.config, repo: flags.repo, writable: false, ...work })
		await using ydb = await openDatabase(flags, work)
		const described = await describeCollection({
			admin: ydb.collections,
			name: args.name,
			repository: opened?.repository,
			countRows: flags.count,
			streamHours: flags['stream-hours'],
			signal: work.signal,
		})
		work.complete()
		const shown = { ...(opened && { repository: opened.location }), ...described }
		this.show(flags, shownCollectionText(shown, new Date()))
		return shown
	}
}
