import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { holdBackup } from '@ydbackup/catalog'
import { BackupError } from '@ydbackup/core'
import { YdbackupCommand } from '../../command.ts'
import { type HeldBackup, heldBackupText } from '../../report/held-backup.ts'
import { parseExactId } from '../../repository/backup-id.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { parseDuration } from '../../run/duration.ts'
import { parseTime } from '../../run/time.ts'

const LONGEST_REASON = 500

export default class BackupHold extends YdbackupCommand {
	static override summary = 'keep a backup from being deleted'
	static override description =
		'a held backup, and all that it builds upon, is refused by backup delete and stays in backup prune, until the time that is given or until backup release. Several holds may be on one backup: it stays until the last one ends'
	static override examples = [
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --reason "audit of 2026" --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --for 90d',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --until 2027-01-01T00:00:00Z --json',
	]
	static override args = {
		id: Args.string({ required: true, ignoreStdin: true, description: 'id of the backup' }),
	}
	static override flags = {
		...repositoryFlags,
		until: Flags.string({ helpValue: 'TIME', description: 'it ends then, for example 2027-01-01T00:00:00Z' }),
		for: Flags.string({
			exclusive: ['until'],
			helpValue: 'TIME',
			description: 'it ends after this much: 36h, 30d, 8w',
		}),
		reason: Flags.string({ helpValue: 'TEXT', description: 'why, for those who meet it' }),
	}

	async run(): Promise<HeldBackup> {
		const { args, flags } = await this.parse(BackupHold)
		const id = parseExactId(args.id)
		const now = new Date()
		const until =
			flags.for === undefined
				? flags.until === undefined
					? undefined
					: parseTime(flags.until)
				: new Date(now.getTime() + parseDuration(flags.for, '--for'))
		if (until !== undefined && until <= now) {
			throw new BackupError('CONFIG_INVALID', `${until.toISOString()} is over`, {
				advice: 'give a time that is to come',
			})
		}
		const { reason } = flags
		if (reason !== undefined && reason.length > LONGEST_REASON) {
			throw new BackupError('CONFIG_INVALID', `--reason has more than ${LONGEST_REASON} characters`, {
				advice: 'say it in fewer words',
			})
		}
		const { signal } = this
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable: true, signal })
		const hold = await holdBackup(opened.repository, id, { until, reason }, { signal })
		const held = { repository: opened.location, id, until: hold.until, reason: hold.reason, at: hold.at }
		this.show(flags, heldBackupText(held))
		return held
	}
}
