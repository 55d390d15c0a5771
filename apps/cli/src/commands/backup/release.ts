import * as Args from '@oclif/core/args'
import { releaseBackup } from '@ydbackup/catalog'
import { YdbackupCommand } from '../../command.ts'
import { type ReleasedBackup, releasedBackupText } from '../../report/held-backup.ts'
import { parseExactId } from '../../repository/backup-id.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'

export default class BackupRelease extends YdbackupCommand {
	static override summary = 'end all holds of a backup'
	static override examples = [
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --json',
	]
	static override args = {
		id: Args.string({ required: true, ignoreStdin: true, description: 'id of the backup' }),
	}
	static override flags = { ...repositoryFlags }

	async run(): Promise<ReleasedBackup> {
		const { args, flags } = await this.parse(BackupRelease)
		const id = parseExactId(args.id)
		const { signal } = this
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable: true, signal })
		const holds = await releaseBackup(opened.repository, id, { signal })
		const released = {
			repository: opened.location,
			id,
			holds: holds.map(({ until, reason, at }) => ({ until, reason, at })),
		}
		this.show(flags, releasedBackupText(released))
		return released
	}
}
