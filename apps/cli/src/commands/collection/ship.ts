import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { keyFlags, keysOfFlags } from '../../encryption/key-flags.ts'
import { noteKeys } from '../../encryption/note-keys.ts'
import {
	newestBackup,
	shippedCollectionText,
	shippedFailure,
	type ShippedCollection,
} from '../../report/shipped-collection.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { parsePairs } from '../../run/pair.ts'
import { concurrencyFlag } from '../../run/selection-flags.ts'

export default class CollectionShip extends YdbackupCommand {
	static override summary =
		'take the links of a backup collection out of the cluster: those that are not in the repository yet'
	static override description =
		'each link becomes a backup that is listed, verified and restored as any other; an increment names the one before it as its parent. It may be stopped and run again at any point. A link that cannot be a link of its chain is refused with the reason, and the exit code is then 9'
	static override examples = [
		'<%= config.bin %> <%= command.id %> nightly --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> nightly --endpoint grpc://localhost:2136 --database /local --repo s3://bucket/prefix --json',
		'<%= config.bin %> <%= command.id %> nightly --dry-run --repo /srv/backups',
	]
	static override args = {
		name: Args.string({ required: true, description: 'the bare name of the collection' }),
	}
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		...keyFlags,
		label: Flags.string({
			multiple: true,
			multipleNonGreedy: true,
			helpValue: 'KEY=VALUE',
			description: 'keep this label with each backup; may be given more than once',
		}),
		compression: Flags.string({ default: 'zstd-1', description: 'none, or zstd-1 (fast) to zstd-19 (small)' }),
		concurrency: concurrencyFlag('partitions that are read and stored at once'),
		'no-count': Flags.boolean({
			description: "do not compare with the server's own count of rows (a full scan of each table of a link)",
		}),
		wait: Flags.integer({
			min: 0,
			max: 86_400,
			default: 600,
			helpValue: 'SECONDS',
			description: 'how long to wait for a link that the server is still writing',
		}),
		'dry-run': Flags.boolean({ description: 'say which links would be shipped, and ship none' }),
	}

	async run(): Promise<ShippedCollection> {
		const { args, flags } = await this.parse(CollectionShip)
		const keys = keysOfFlags(flags)
		const labels = Object.fromEntries(parsePairs(flags.label ?? [], '--label'))
		const { shipCollection } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened = await openRepository({
			config: this.config,
			repo: flags.repo,
			writable: !flags['dry-run'],
			...work,
		})
		await using ydb = await openDatabase(flags, work)
		const result = await shipCollection({
			source: ydb.collection(args.name),
			repository: opened.repository,
			encryption: keys.length > 0 ? { keys } : undefined,
			labels,
			compression: flags.compression,
			concurrency: flags.concurrency,
			countRows: !flags['no-count'],
			waitMs: flags.wait * 1000,
			dryRun: flags['dry-run'],
			signal: work.signal,
			onEvent: work.onEvent,
			tool: this.tool,
		})
		work.complete()
		await noteKeys({ config: this.config, repo: flags.repo }, result.keysUsed, {
			backup: newestBackup(result),
			by: 'backup',
		})
		const shipped = { repository: opened.location, ...result }
		this.failure = shippedFailure(shipped)
		this.show(flags, shippedCollectionText(shipped))
		return shipped
	}
}
