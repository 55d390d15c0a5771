import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../../command.ts'
import { createDumpDirectory } from '../../foreign/dump-directory.ts'
import { type ExportedBackup, exportedBackupText } from '../../report/exported-backup.ts'
import { optionalId, parseId } from '../../repository/backup-id.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { keyFlags, keysOfFlags } from '../../encryption/key-flags.ts'
import { noteKeys } from '../../encryption/note-keys.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { concurrencyFlag, kindFlags, patternFlags } from '../../run/selection-flags.ts'

export default class BackupExport extends YdbackupCommand {
	static override summary = "write a backup as files that YDB's own tools restore; needs no database"
	static override description =
		'every byte is checked on the way. The directory is marked as incomplete until all of it is written, so that nothing restores half of it. Of an increment the state at its end is written'
	static override examples = [
		'<%= config.bin %> <%= command.id %> latest --to /srv/dumps/monday',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --layout dump --to ./orders --include shop/orders',
	]
	static override args = { id: optionalId }
	static override flags = {
		...repositoryFlags,
		layout: Flags.option({
			options: ['dump'] as const,
			default: 'dump' as const,
			description: 'dump: a directory as ydb tools dump writes it and ydb tools restore takes it',
		})(),
		to: Flags.string({
			required: true,
			helpValue: 'DIR',
			description: 'a directory that is empty or is not there; only you may read what is written',
		}),
		...keyFlags,
		...patternFlags,
		...kindFlags,
		database: Flags.boolean({
			description:
				'a dump of the whole database as ydb admin database dump writes it, with users, groups and rights; the backup must have been taken --with-accounts',
		}),
		'preserve-pool-kinds': Flags.boolean({
			description: 'keep the kinds of storage in schemes, which another cluster may not have',
		}),
		concurrency: concurrencyFlag('tables that are written at once'),
	}

	async run(): Promise<ExportedBackup> {
		const { args, flags } = await this.parse(BackupExport)
		const id = parseId(args.id)
		const { exportDump } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable: false, ...work })
		const result = await exportDump({
			repository: opened.repository,
			id,
			keys: keysOfFlags(flags),
			target: createDumpDirectory(flags.to),
			include: flags.include,
			exclude: flags.exclude,
			kinds: flags.kind,
			excludeKinds: flags['exclude-kind'],
			database: flags.database,
			preservePoolKinds: flags['preserve-pool-kinds'],
			concurrency: flags.concurrency,
			signal: work.signal,
			onEvent: work.onEvent,
		})
		work.complete()
		const { keysUsed, ...rest } = result
		await noteKeys({ config: this.config, repo: flags.repo }, keysUsed, { backup: result.id, by: 'export' })
		const exported = { repository: opened.location, ...rest }
		this.show(flags, exportedBackupText(exported))
		return exported
	}
}
