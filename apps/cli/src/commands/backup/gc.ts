import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { namesTarget } from '../../connection/target.ts'
import { type CollectedGarbage, collectedFailure, collectedGarbageText } from '../../report/collected-garbage.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'

export default class BackupGc extends YdbackupCommand {
	static override summary = 'give up unfinished runs that nobody is at work with, and remove what they left'
	static override description =
		'copies in the database, exports of the cluster, objects and records of runs; deletions that were cut off are finished, leases that are over go, and uploads that were not completed within a day. A run that is given up cannot be resumed. Without a connection, runs that may have left something in the database stay, which is said'
	static override examples = [
		'<%= config.bin %> <%= command.id %> --dry-run --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --endpoint grpc://localhost:2136 --database /local --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --repo /srv/backups --json',
	]
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		'dry-run': Flags.boolean({ description: 'say what would be removed, and remove nothing' }),
	}

	async run(): Promise<CollectedGarbage> {
		const { flags } = await this.parse(BackupGc)
		const { collectGarbage } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		const dryRun = flags['dry-run']
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable: !dryRun, ...work })
		await using ydb = namesTarget(flags, process.env) ? await openDatabase(flags, work) : undefined
		const { repository, location } = opened
		const { signal, onEvent } = work
		const result = await collectGarbage({ repository, database: ydb, dryRun, signal, onEvent, tool: this.tool })
		work.complete()
		const collected = { repository: location, ...result }
		this.failure = collectedFailure(collected)
		this.show(flags, collectedGarbageText(collected))
		return collected
	}
}
