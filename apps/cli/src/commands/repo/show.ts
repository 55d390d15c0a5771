import { YdbackupCommand } from '../../command.ts'
import { shownRepository, shownRepositoryText, type ShownRepository } from '../../report/shown-repository.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'

export default class RepoShow extends YdbackupCommand {
	static override summary = 'show what a repository is, and how much it holds'
	static override examples = [
		'<%= config.bin %> <%= command.id %> --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --json',
	]
	static override flags = { ...repositoryFlags }

	async run(): Promise<ShownRepository> {
		const { flags } = await this.parse(RepoShow)
		const { config, signal } = this
		await using opened = await openRepository({ config, repo: flags.repo, writable: false, signal })
		const shown = await shownRepository(opened, signal)
		this.show(flags, shownRepositoryText(shown, new Date()))
		return shown
	}
}
