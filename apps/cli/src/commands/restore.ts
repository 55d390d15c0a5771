import * as Flags from '@oclif/core/flags'
import { YdbackupCommand } from '../command.ts'
import { connectionFlags } from '../connection/connection-flags.ts'
import { openDatabase } from '../connection/open-database.ts'
import { keyFlags, keysOfFlags } from '../encryption/key-flags.ts'
import { noteKeys } from '../encryption/note-keys.ts'
import { restoredBackupText, restoredFailure, type RestoredBackup } from '../report/restored-backup.ts'
import { idOf, idUnlessAt, parseWanted } from '../repository/backup-id.ts'
import { openRepository } from '../repository/open-repository.ts'
import { repositoryFlags } from '../repository/repository-flags.ts'
import { parsePairs } from '../run/pair.ts'
import { concurrencyFlag, patternFlags } from '../run/selection-flags.ts'

export default class Restore extends YdbackupCommand {
	static override summary = 'bring back a backup, in place or to another path, whole or in part'
	static override description =
		'everything is checked before anything is written: the manifest, every object that is needed, and what stands in the target. Nothing that exists is overwritten unless --existing merge is given, and nothing is removed that this run has not created'
	static override examples = [
		'<%= config.bin %> <%= command.id %> latest --endpoint grpc://localhost:2136 --database /local --repo /srv/backups --verify-data',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --include shop/orders --to /local/rescued',
		'<%= config.bin %> <%= command.id %> --at 2026-11-23T02:15:00Z --to /local/rescued',
		'<%= config.bin %> <%= command.id %> latest --dry-run',
	]
	static override args = { id: idUnlessAt }
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		...keyFlags,
		at: Flags.string({
			helpValue: 'TIME',
			description: 'instead of an id: the newest backup taken at or before this time, for example 2026-11-23T02:15:00Z',
		}),
		to: Flags.string({
			helpValue: '/DB/PATH',
			description: 'put everything below this path; default: where it came from',
		}),
		map: Flags.string({
			multiple: true,
			multipleNonGreedy: true,
			helpValue: '/FROM=/TO',
			description: 'put this path there; the longest one that fits wins, also over --to; may be given more than once',
		}),
		...patternFlags,
		existing: Flags.option({
			options: ['fail', 'merge'] as const,
			default: 'fail' as const,
			description:
				'what to do about tables that exist: refuse before anything is written, or write the rows over theirs',
		})(),
		'scheme-only': Flags.boolean({ exclusive: ['data-only'], description: 'directories and tables without rows' }),
		'data-only': Flags.boolean({ description: 'rows into tables that are there already' }),
		'no-acl': Flags.boolean({ description: 'leave out owners and grants' }),
		ttl: Flags.option({
			options: ['keep', 'off'] as const,
			default: 'keep' as const,
			description: 'switch TTLs on at the end, or leave them off: with old backups TTL deletes rows at once',
		})(),
		'verify-data': Flags.boolean({ description: 'read every restored table back and compare all of its rows' }),
		'accept-native-damage': Flags.boolean({
			description: "go on although files are damaged that only YDB's own import needs",
		}),
		'dry-run': Flags.boolean({ description: 'check everything, say what would be done, and write nothing' }),
		concurrency: concurrencyFlag('data files that are read and written at once'),
	}

	async run(): Promise<RestoredBackup> {
		const { args, flags } = await this.parse(Restore)
		const wanted = parseWanted(args.id, flags.at)
		const keys = keysOfFlags(flags)
		const map = parsePairs(flags.map ?? [], '--map')
		const { restore } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened = await openRepository({ config: this.config, repo: flags.repo, writable: false, ...work })
		const id = await idOf(opened.repository, wanted, work.signal)
		await using ydb = await openDatabase(flags, work)
		const result = await restore({
			sink: ydb.sink,
			repository: opened.repository,
			id,
			keys,
			to: flags.to,
			map,
			include: flags.include,
			exclude: flags.exclude,
			existing: flags.existing,
			schemeOnly: flags['scheme-only'],
			dataOnly: flags['data-only'],
			noAcl: flags['no-acl'],
			ttl: flags.ttl,
			verifyData: flags['verify-data'],
			acceptNativeDamage: flags['accept-native-damage'],
			dryRun: flags['dry-run'],
			concurrency: flags.concurrency,
			signal: work.signal,
			onEvent: work.onEvent,
		})
		work.complete()
		const used = flags['dry-run'] ? [] : result.keysUsed
		await noteKeys({ config: this.config, repo: flags.repo }, used, { backup: result.id, by: 'restore' })
		const restored = { repository: opened.location, ...result }
		this.failure = restoredFailure(restored)
		this.show(flags, restoredBackupText(restored))
		return restored
	}
}
