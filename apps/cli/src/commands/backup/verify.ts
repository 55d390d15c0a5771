import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { keyFlags, keysOfFlags } from '../../encryption/key-flags.ts'
import { noteProof } from '../../verify/note-proof.ts'
import { noteKeys } from '../../encryption/note-keys.ts'
import {
	verifiedBackup,
	verifiedBackupText,
	verifiedFailure,
	type VerifiedBackup,
} from '../../report/verified-backup.ts'
import { optionalId, parseId } from '../../repository/backup-id.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { concurrencyFlag } from '../../run/selection-flags.ts'

export default class BackupVerify extends YdbackupCommand {
	static override summary = 'check that a backup could be restored; needs no database'
	static override description =
		'goes the same way as a restore: what passes at level full can be read by a restore. Every finding is listed, and the exit code is then 3. Of an encrypted backup without its key only the stored bytes are checked. What passes at level full is noted in the repository, where it may be written: backup list and show tell when it was last proven'
	static override examples = [
		'<%= config.bin %> <%= command.id %> latest --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --level full --json',
		'<%= config.bin %> <%= command.id %> latest --level full --encryption-key file:/etc/ydbackup/key',
		'<%= config.bin %> <%= command.id %> latest --level full --layout native',
	]
	static override args = { id: optionalId }
	static override flags = {
		...repositoryFlags,
		...keyFlags,
		level: Flags.option({
			options: ['quick', 'full'] as const,
			default: 'quick' as const,
			description: 'quick: every object is there with its size; full: every byte is read, hashed, parsed and counted',
		})(),
		layout: Flags.option({
			options: ['native'] as const,
			description:
				"also check the files by the documented rules of YDB's own import and of ydb tools validate, by a checker that shares nothing with what wrote them",
		})(),
		concurrency: concurrencyFlag('data files that are read at once'),
	}

	async run(): Promise<VerifiedBackup> {
		const { args, flags } = await this.parse(BackupVerify)
		const id = parseId(args.id)
		const keys = keysOfFlags(flags)
		const { verify, verifyNative } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable: false, ...work })
		const { level, concurrency, layout } = flags
		const { repository } = opened
		const report = await verify({ repository, id, level, keys, concurrency, ...work })
		const native = layout && (await verifyNative({ repository, id: report.id, level, keys, signal: work.signal }))
		work.complete()
		await noteKeys({ config: this.config, repo: flags.repo }, report.keysUsed, { backup: report.id, by: 'verify' })
		const verified = verifiedBackup(report, native, opened.location)
		if (verified.ok) await noteProof({ config: this.config, repo: flags.repo }, report, this.tool)
		this.failure = verifiedFailure(verified)
		this.show(flags, verifiedBackupText(verified))
		return verified
	}
}
