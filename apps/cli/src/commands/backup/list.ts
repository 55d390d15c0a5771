import { chainPlaces, listLeases, listProofs } from '@ydbackup/catalog'
import { YdbackupCommand } from '../../command.ts'
import { listedBackup, listedBackupsText, type ListedBackups } from '../../report/listed-backups.ts'
import { listedRun } from '../../report/listed-run.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'

export default class BackupList extends YdbackupCommand {
	static override summary = 'list the backups of a repository, newest last'
	static override description =
		'a backup whose manifest is damaged is listed as such, never left out; runs that have not ended are named with the place of their copies'
	static override examples = [
		'<%= config.bin %> <%= command.id %> --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --json',
	]
	static override flags = { ...repositoryFlags }

	async run(): Promise<ListedBackups> {
		const { flags } = await this.parse(BackupList)
		const { config, signal } = this
		await using opened = await openRepository({ config, repo: flags.repo, writable: false, signal })
		const { repository } = opened
		const [entries, runs, proofs] = await Promise.all([
			repository.list({ signal }),
			repository.runs({ signal }),
			listProofs(repository.storage, { signal }),
		])
		const leases = runs.length === 0 ? [] : await listLeases(repository.storage, { signal })
		const places = chainPlaces(entries)
		const listed: ListedBackups = {
			repository: opened.location,
			backups: entries.map((entry, index) => listedBackup(entry, places[index]!, proofs.get(entry.id))),
			unfinished: runs.map((run) => listedRun(run, leases)),
		}
		this.show(flags, listedBackupsText(listed, new Date()))
		return listed
	}
}
