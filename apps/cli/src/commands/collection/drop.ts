import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { type DroppedCollection, droppedCollectionText } from '../../report/dropped-collection.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'

export default class CollectionDrop extends YdbackupCommand {
	static override summary = 'drop a backup collection with all of its backups inside the cluster'
	static override description =
		'it refuses while a backup would be lost that is not in the repository. Nothing in the repository is deleted, and no table of the database'
	static override examples = [
		'<%= config.bin %> <%= command.id %> nightly --repo /srv/backups --dry-run',
		'<%= config.bin %> <%= command.id %> nightly --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> once --with-links --json',
	]
	static override args = {
		name: Args.string({ required: true, description: 'the bare name of the collection' }),
	}
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		'with-links': Flags.boolean({ description: 'drop it although backups are lost that are in no repository' }),
		'dry-run': Flags.boolean({ description: 'say what would be dropped, and drop nothing' }),
	}

	async run(): Promise<DroppedCollection> {
		const { args, flags } = await this.parse(CollectionDrop)
		const { dropCollection } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened =
			flags.repo === undefined
				? undefined
				: await openRepository({ config: this.config, repo: flags.repo, writable: false, ...work })
		await using ydb = await openDatabase(flags, work)
		const dropped = await dropCollection({
			admin: ydb.collections,
			name: args.name,
			repository: opened?.repository,
			withLinks: flags['with-links'],
			dryRun: flags['dry-run'],
			signal: work.signal,
		})
		work.complete()
		const result = { ...(opened && { repository: opened.location }), ...dropped }
		this.show(flags, droppedCollectionText(result))
		return result
	}
}
