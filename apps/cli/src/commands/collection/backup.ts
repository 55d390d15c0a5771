import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { keyFlags, keysOfFlags } from '../../encryption/key-flags.ts'
import { noteKeys } from '../../encryption/note-keys.ts'
import { type BackedUpCollection, backedUpCollectionText } from '../../report/backed-up-collection.ts'
import { newestBackup, shippedFailure } from '../../report/shipped-collection.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { streamHoursFlag } from '../../run/stream-hours-flag.ts'

export default class CollectionBackup extends YdbackupCommand {
	static override summary = 'take a full or incremental backup of a collection inside the cluster, and ship it'
	static override description =
		'it follows the backup to its true end and looks whether every table is in it: the server answers before an increment is written. With a repository, every link that is not there yet is then shipped, as collection ship does it'
	static override examples = [
		'<%= config.bin %> <%= command.id %> nightly',
		'<%= config.bin %> <%= command.id %> nightly --incremental --full-if-needed --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> nightly --incremental --json',
	]
	static override args = {
		name: Args.string({ required: true, description: 'the bare name of the collection' }),
	}
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		...keyFlags,
		incremental: Flags.boolean({ description: 'only what has changed since the newest backup of the collection' }),
		'full-if-needed': Flags.boolean({
			dependsOn: ['incremental'],
			description: 'take a full backup when the chain cannot take an increment, and say why',
		}),
		'stream-hours': streamHoursFlag,
		wait: Flags.integer({
			min: 1,
			max: 86_400,
			default: 3600,
			helpValue: 'SECONDS',
			description: 'how long the server may take to write an increment',
		}),
	}

	async run(): Promise<BackedUpCollection> {
		const { args, flags } = await this.parse(CollectionBackup)
		const keys = keysOfFlags(flags)
		const { shipCollection, takeLink } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		// Before the cluster does anything: a repository that cannot be opened would be found too late.
		await using opened =
			flags.repo === undefined
				? undefined
				: await openRepository({ config: this.config, repo: flags.repo, writable: true, ...work })
		await using ydb = await openDatabase(flags, work)
		const { signal, onEvent } = work
		const taken = await takeLink({
			admin: ydb.collections,
			name: args.name,
			kind: flags.incremental ? 'incremental' : 'full',
			fullIfNeeded: flags['full-if-needed'],
			streamHours: flags['stream-hours'],
			waitMs: flags.wait * 1000,
			signal,
			onEvent,
		})
		const shipped =
			opened &&
			(await shipCollection({
				source: ydb.collection(args.name),
				repository: opened.repository,
				encryption: keys.length > 0 ? { keys } : undefined,
				waitMs: flags.wait * 1000,
				signal,
				onEvent,
				tool: this.tool,
			}))
		work.complete()
		if (shipped)
			await noteKeys({ config: this.config, repo: flags.repo }, shipped.keysUsed, {
				backup: newestBackup(shipped),
				by: 'backup',
			})
		const result = { ...taken, ...(shipped && { shipped: { repository: opened!.location, ...shipped } }) }
		if (result.shipped !== undefined) this.failure = shippedFailure(result.shipped)
		this.show(flags, backedUpCollectionText(result))
		return result
	}
}
