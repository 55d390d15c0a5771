import { YdbackupCommand } from '../../command.ts'
import { shownBackup, shownBackupText, type ShownBackup } from '../../report/shown-backup.ts'
import { optionalId, parseId } from '../../repository/backup-id.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'

export default class BackupShow extends YdbackupCommand {
	static override summary = 'show what a backup holds, when it was taken, and what it left out'
	static override examples = [
		'<%= config.bin %> <%= command.id %> latest --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --json',
	]
	static override args = { id: optionalId }
	static override flags = { ...repositoryFlags }

	async run(): Promise<ShownBackup> {
		const { args, flags } = await this.parse(BackupShow)
		const id = parseId(args.id)
		const { config, signal } = this
		await using opened = await openRepository({ config, repo: flags.repo, writable: false, signal })
		const { manifest } = await opened.repository.read(id, { signal })
		const shown = shownBackup(manifest, opened.location)
		this.show(flags, shownBackupText(shown, new Date()))
		return shown
	}
}
