import * as Flags from '@oclif/core/flags'
import type { PruneBackupsOptions } from '@ydbackup/engine'
import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openSourceLater } from '../../connection/open-database.ts'
import { type PrunedBackups, prunedBackupsText, prunedBackupsFailure } from '../../report/pruned-backups.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { assertCanAsk, confirm } from '../../run/confirm.ts'
import { parseDuration } from '../../run/duration.ts'
import { parsePairs } from '../../run/pair.ts'

const periodFlag = (period: string) =>
	Flags.integer({
		min: 0,
		max: 100_000,
		helpValue: 'N',
		description: `keep the newest backup of each of the last N ${period} (UTC) that have one`,
	})

export default class BackupPrune extends YdbackupCommand {
	static override summary = 'delete the backups that no rule keeps'
	static override description =
		'a backup stays when one of the rules keeps it, when something that stays builds upon it, when it is held or in use; the newest one and the newest one that was proven always stay. Rules are applied to the backups of the same paths of a database, or of a collection, by themselves. Copies that backups kept in a database are dropped, too, when the connection to it is given; else they are named. On a terminal it shows the plan and asks; without one it wants --yes'
	static override examples = [
		'<%= config.bin %> <%= command.id %> --keep-last 7 --keep-weekly 4 --keep-monthly 12 --dry-run --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --keep-within 30d --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --keep-last 3 --label why=nightly --yes --json',
	]
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		'keep-last': Flags.integer({ min: 0, max: 100_000, helpValue: 'N', description: 'keep the N newest backups' }),
		'keep-within': Flags.string({
			helpValue: 'TIME',
			description: 'keep all that are not older than the newest by this much: 36h, 30d, 8w',
		}),
		'keep-daily': periodFlag('days'),
		'keep-weekly': periodFlag('weeks'),
		'keep-monthly': periodFlag('months'),
		'keep-yearly': periodFlag('years'),
		label: Flags.string({
			multiple: true,
			multipleNonGreedy: true,
			helpValue: 'KEY=VALUE',
			description: 'judge only backups with this label, others stay; may be given more than once',
		}),
		'dry-run': Flags.boolean({ description: 'show the plan, and delete nothing' }),
		yes: Flags.boolean({ description: 'do not ask' }),
	}

	async run(): Promise<PrunedBackups> {
		const { flags } = await this.parse(BackupPrune)
		const within = flags['keep-within']
		const asked = {
			rules: {
				last: flags['keep-last'],
				withinMs: within === undefined ? undefined : parseDuration(within, '--keep-within'),
				daily: flags['keep-daily'],
				weekly: flags['keep-weekly'],
				monthly: flags['keep-monthly'],
				yearly: flags['keep-yearly'],
			},
			labels: Object.fromEntries(parsePairs(flags.label ?? [], '--label')),
		}
		const isAsking = !flags.yes && !flags['dry-run']
		if (isAsking) assertCanAsk('delete backups')
		const { pruneBackups } = await import('@ydbackup/engine')
		const { signal } = this
		const writable = !flags['dry-run']
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable, signal })
		const { repository, location } = opened
		const wanted: PruneBackupsOptions = { repository, ...asked, signal }
		const only = isAsking ? await this.#ask(wanted, location) : undefined
		// Only now: a bar that moves would write over the question.
		using work = this.startWork(flags)
		await using later = openSourceLater(flags, work)
		const { openSource } = later
		const result = await pruneBackups({
			...wanted,
			only,
			openSource,
			dryRun: flags['dry-run'],
			onEvent: work.onEvent,
		})
		work.complete()
		const pruned = { repository: location, ...result }
		this.failure = prunedBackupsFailure(pruned)
		this.show(flags, prunedBackupsText(pruned))
		return pruned
	}

	/** What was agreed to. */
	async #ask(wanted: PruneBackupsOptions, repository: string): Promise<ReadonlySet<string>> {
		const { pruneBackups } = await import('@ydbackup/engine')
		const plan = await pruneBackups({ ...wanted, dryRun: true })
		const ids = plan.backups.flatMap(({ id, action }) => (action === 'delete' ? [id] : []))
		if (ids.length === 0) return new Set()
		process.stderr.write(`${prunedBackupsText({ repository, ...plan })}\n`)
		await confirm(`delete ${ids.length} of ${plan.backups.length} backups from ${repository}?`, this.signal)
		return new Set(ids)
	}
}
