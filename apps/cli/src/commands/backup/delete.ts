import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openSourceLater } from '../../connection/open-database.ts'
import { type DeletedBackups, deletedBackupsText, deletedFailure } from '../../report/deleted-backups.ts'
import { parseExactId } from '../../repository/backup-id.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { assertCanAsk, confirm } from '../../run/confirm.ts'

export default class BackupDelete extends YdbackupCommand {
	static override summary = 'delete backups from the repository'
	static override description =
		'a backup that others build upon, that is held, or that somebody uses now stays, and then nothing is deleted. On a terminal it asks first; without one it wants --yes. A delete that was cut off is gone on with by the same command. A copy that a backup kept in the database is dropped, too, when the connection to it is given; else it is named'
	static override examples = [
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --with-dependents --dry-run --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 20261124T021500Z-x1a2 --yes --json',
	]
	static override strict = false
	static override args = {
		id: Args.string({ required: true, ignoreStdin: true, description: 'id of a backup; several may be given' }),
	}
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		'with-dependents': Flags.boolean({ description: 'delete all that builds upon them too' }),
		'dry-run': Flags.boolean({ description: 'say what would be deleted, and delete nothing' }),
		yes: Flags.boolean({ description: 'do not ask' }),
	}

	async run(): Promise<DeletedBackups> {
		const { argv, flags } = await this.parse(BackupDelete)
		const ids = argv.map((word) => parseExactId(String(word)))
		const isAsking = !flags.yes && !flags['dry-run']
		if (isAsking) assertCanAsk('delete backups')
		const { deleteBackups } = await import('@ydbackup/engine')
		const { signal } = this
		const writable = !flags['dry-run']
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable, signal })
		const { repository, location } = opened
		const wanted = { repository, ids, withDependents: flags['with-dependents'], signal }
		// What nobody was asked about is not deleted: a child that comes meanwhile makes it refuse.
		const agreed = isAsking ? { ...wanted, ids: await this.#ask(wanted, location), withDependents: false } : wanted
		// Only now: a bar that moves would write over the question.
		using work = this.startWork(flags)
		await using later = openSourceLater(flags, work)
		const { openSource } = later
		const result = await deleteBackups({
			...agreed,
			openSource,
			dryRun: flags['dry-run'],
			onEvent: work.onEvent,
		})
		work.complete()
		const deleted = { repository: location, ...result }
		this.failure = deletedFailure(deleted)
		this.show(flags, deletedBackupsText(deleted))
		return deleted
	}

	async #ask(
		wanted: Parameters<typeof import('@ydbackup/engine').deleteBackups>[0],
		repository: string,
	): Promise<string[]> {
		const { deleteBackups } = await import('@ydbackup/engine')
		const plan = await deleteBackups({ ...wanted, dryRun: true })
		const ids = plan.backups.map(({ id }) => id)
		await confirm(`delete ${ids.join(', ')} from ${repository}?`, this.signal)
		return ids
	}
}
