import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { keyFlags, keysOfFlags } from '../../encryption/key-flags.ts'
import { prunedCollectionText, prunedFailure, type PrunedCollection } from '../../report/pruned-collection.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { concurrencyFlag } from '../../run/selection-flags.ts'

export default class CollectionPrune extends YdbackupCommand {
	static override summary =
		'drop old chains of a backup collection inside the cluster, when they are safe in the repository'
	static override description =
		'whole chains only, and only those whose every link is in the repository and passes a full verification, which is made on the way. A chain that must stay is named with the reason, and the exit code is then 9. Nothing in the repository is deleted'
	static override examples = [
		'<%= config.bin %> <%= command.id %> nightly --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> nightly --keep-chains 2 --repo /srv/backups --json',
		'<%= config.bin %> <%= command.id %> nightly --dry-run --repo /srv/backups',
	]
	static override args = {
		name: Args.string({ required: true, description: 'the bare name of the collection' }),
	}
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		...keyFlags,
		'keep-chains': Flags.integer({
			min: 1,
			max: 10_000,
			default: 1,
			helpValue: 'N',
			description: 'chains that stay in the cluster, the newest ones',
		}),
		concurrency: concurrencyFlag('data files that are read at once'),
		'dry-run': Flags.boolean({ description: 'verify and say what would be dropped, and drop nothing' }),
	}

	async run(): Promise<PrunedCollection> {
		const { args, flags } = await this.parse(CollectionPrune)
		const { pruneCollection } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable: false, ...work })
		await using ydb = await openDatabase(flags, work)
		const result = await pruneCollection({
			source: ydb.collection(args.name),
			repository: opened.repository,
			keys: keysOfFlags(flags),
			keepChains: flags['keep-chains'],
			concurrency: flags.concurrency,
			dryRun: flags['dry-run'],
			signal: work.signal,
			onEvent: work.onEvent,
		})
		work.complete()
		const pruned = { repository: opened.location, ...result }
		this.failure = prunedFailure(pruned)
		this.show(flags, prunedCollectionText(pruned))
		return pruned
	}
}
