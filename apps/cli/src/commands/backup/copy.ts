import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { type CopiedBackups, copiedBackupsText } from '../../report/copied-backups.ts'
import { parseId } from '../../repository/backup-id.ts'
import { openRepositoryForUse } from '../../repository/open-repository.ts'
import { openStorage } from '../../repository/open-storage.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { concurrencyFlag } from '../../run/selection-flags.ts'

export default class BackupCopy extends YdbackupCommand {
	static override summary = 'copy a backup, and all that it builds upon, to another place'
	static override description =
		'byte for byte: hashes, chains and encryption stay as they are, and no key is needed. Every object is hashed on the way and read back before the backup is listed there. The other place becomes a copy of this repository; it must be empty at first. What was cut off is gone on with by the same command'
	static override examples = [
		'<%= config.bin %> <%= command.id %> latest --repo /srv/backups --to "s3://offsite/ydb?region=eu-west-1"',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --to /mnt/offline/ydb --json',
	]
	static override args = {
		id: Args.string({ required: true, ignoreStdin: true, description: 'id of the backup, or latest' }),
	}
	static override flags = {
		...repositoryFlags,
		to: Flags.string({ required: true, helpValue: 'DIR|URL', description: 'where the copy goes' }),
		concurrency: concurrencyFlag('objects that are copied at once'),
	}

	async run(): Promise<CopiedBackups> {
		const { args, flags } = await this.parse(BackupCopy)
		const id = parseId(args.id)
		const { copyBackup } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		const { config } = this
		await using opened = await openRepositoryForUse({ config, repo: flags.repo, ...work })
		await using to = await openStorage({ config, repo: flags.to, writable: true, ...work })
		const { repository, location } = opened
		const { signal, onEvent } = work
		const result = await copyBackup({ repository, id, to, concurrency: flags.concurrency, signal, onEvent })
		work.complete()
		const copied = { repository: location, ...result }
		this.show(flags, copiedBackupsText(copied))
		return copied
	}
}
