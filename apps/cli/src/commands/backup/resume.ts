import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { clusterAccess, clusterFlags } from '../../cluster/cluster-flags.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { keyFlags, keysOfFlags } from '../../encryption/key-flags.ts'
import { noteKeys } from '../../encryption/note-keys.ts'
import { asResumed, resumedBackup, resumedBackupText, type ResumedBackup } from '../../report/resumed-backup.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { concurrencyFlag } from '../../run/selection-flags.ts'

export default class BackupResume extends YdbackupCommand {
	static override summary = 'go on with a backup that was stopped or killed'
	static override description =
		'it goes on from the very copies that the run made, so the backup is of the same moment; what is on storage already is read and kept when it is right. When the copies are gone, what was left is removed and a new backup is taken, which is said. What to take, labels and compression are known from the run. An encrypted run needs its key, and its copies are read again under a new id'
	static override examples = [
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --endpoint grpc://localhost:2136 --database /local --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --encryption-key file:/etc/ydbackup/key --json',
	]
	static override args = {
		id: Args.string({
			required: true,
			description: 'id of the run, as the message after the stop and backup list show it',
		}),
	}
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		...keyFlags,
		...clusterFlags,
		concurrency: concurrencyFlag('partitions that are read and stored at once'),
		discard: Flags.boolean({ description: 'when stopped again, drop the copies and delete what was written' }),
	}

	async run(): Promise<ResumedBackup> {
		const { args, flags } = await this.parse(BackupResume)
		const { EXPORT_RUNS, resumeBackup, resumeExport } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable: true, ...work })
		await using ydb = await openDatabase(flags, work)
		const { repository } = opened
		const common = {
			repository,
			id: args.id,
			keys: keysOfFlags(flags),
			discardOnInterrupt: flags.discard,
			signal: work.signal,
			onEvent: work.onEvent,
			tool: this.tool,
		}
		const { concurrency } = flags
		const { source, accounts } = ydb
		const { kind = 'backup' } = await repository.run(args.id, { signal: work.signal })
		const isExport = EXPORT_RUNS.has(kind)
		const access = clusterAccess(flags, repository.storage, { endpoint: ydb.endpoint, concurrency })
		const result = isExport
			? asResumed(args.id, await resumeExport({ ...common, ...access, source, accounts, transfers: ydb.transfers }))
			: await resumeBackup({ ...common, source, accounts, concurrency })
		work.complete()
		await noteKeys({ config: this.config, repo: flags.repo }, result.keysUsed, { backup: result.id, by: 'backup' })
		const resumed = resumedBackup(result, { repository: opened.location, engine: isExport ? 'cluster' : 'client' })
		this.show(flags, resumedBackupText(resumed))
		return resumed
	}
}
