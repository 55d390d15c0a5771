import { YdbackupCommand } from '../../command.ts'
import { factsText } from '../../output/table.ts'
import { openStorage } from '../../repository/open-storage.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'

export interface CreatedRepository {
	readonly location: string
	readonly id: string
	readonly version: number
	readonly createdAt: string
}

export default class RepoInit extends YdbackupCommand {
	static override summary = 'make a place into a repository that backups are kept in'
	static override description = 'the place must be empty or not exist'
	static override examples = [
		'<%= config.bin %> <%= command.id %> --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --repo file:///srv/backups --json',
	]
	static override flags = { ...repositoryFlags }

	async run(): Promise<CreatedRepository> {
		const { flags } = await this.parse(RepoInit)
		const { Repository } = await import('@ydbackup/catalog')
		await using storage = await openStorage({
			config: this.config,
			repo: flags.repo,
			writable: true,
			signal: this.signal,
		})
		const { id, version, createdAt } = (await Repository.init(storage, { signal: this.signal })).header
		const { location } = storage
		this.show(flags, `${factsText({ repository: location, id })}\n\nready: take a backup with ydbackup backup create`)
		return { location, id, version, createdAt }
	}
}
