import * as Flags from '@oclif/core/flags'
import { BackupError } from '@ydbackup/core'
import { YdbackupCommand } from '../../command.ts'
import { clusterAccess, clusterFlags } from '../../cluster/cluster-flags.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { keyFlags, keysOfFlags } from '../../encryption/key-flags.ts'
import { noteKeys } from '../../encryption/note-keys.ts'
import { createdBackup, createdBackupText, type CreatedBackup } from '../../report/created-backup.ts'
import { parseId } from '../../repository/backup-id.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { repositoryFlags } from '../../repository/repository-flags.ts'
import { parsePairs } from '../../run/pair.ts'
import { concurrencyFlag, kindFlags, patternFlags } from '../../run/selection-flags.ts'

export default class BackupCreate extends YdbackupCommand {
	static override summary =
		'take a backup of a database or of some of its tables: full, or of what changed since another one'
	static override description =
		'all tables are copied by the cluster at one moment and read from the copies, so that writers are not disturbed. The backup is listed only when every row is on storage, counted, and read back. Views, topics, changefeeds, coordination nodes, external sources and tables, replications and transfers are taken as they are at that moment, without messages and without values of secrets. When stopped, the copies are kept and named, unless --discard is given'
	static override examples = [
		'<%= config.bin %> <%= command.id %> --endpoint grpc://localhost:2136 --database /local --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --path shop --exclude "shop/tmp/**" --label why=release-42',
		'<%= config.bin %> <%= command.id %> --exclude-kind replication,transfer --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --incremental --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --incremental --keep-copy --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --encryption-key file:/etc/ydbackup/key --repo /srv/backups',
		'<%= config.bin %> <%= command.id %> --engine cluster --repo s3://backups/ydb',
		'<%= config.bin %> <%= command.id %> --engine cluster --bridge-listen 10.0.0.5:9000 --repo gs://backups/ydb',
	]
	static override flags = {
		...repositoryFlags,
		...connectionFlags,
		...keyFlags,
		'encryption-algorithm': Flags.string({
			helpValue: 'ALGORITHM',
			helpGroup: 'ENCRYPTION',
			description:
				"aes-128-gcm, aes-256-gcm or chacha20-poly1305; a backup is encrypted when a key is given; default: AES of the key's length",
		}),
		incremental: Flags.boolean({
			description:
				'take what changed since --parent instead of everything; what is taken is what the parent took (no --path, --include, --exclude, --kind)',
		}),
		parent: Flags.string({
			helpValue: 'ID',
			dependsOn: ['incremental'],
			description: 'the backup to build upon; default: the latest',
		}),
		source: Flags.option({
			options: ['diff'] as const,
			dependsOn: ['incremental'],
			description:
				'where an increment comes from. diff (the default): both states are read and compared, with any version of YDB; costs a full read of the tables and of the parent, or of the copy that it kept',
		})(),
		'keep-copy': Flags.boolean({
			description:
				'leave the copies of the tables in the database: the next increment upon this backup reads them instead of the repository, and drops them. They take space as the tables change',
		}),
		engine: Flags.option({
			options: ['client', 'cluster', 'auto'] as const,
			default: 'client' as const,
			helpGroup: 'CLUSTER',
			description:
				'who reads the tables: this process, or the nodes of the cluster, which write to an S3 by themselves (what they do not export is written by this process); auto lets the cluster do it where it can and the tables take 50 GiB or more',
		})(),
		...clusterFlags,
		path: Flags.string({
			multiple: true,
			multipleNonGreedy: true,
			description: 'take this object and everything below it; may be given more than once; default: the whole database',
		}),
		...patternFlags,
		...kindFlags,
		label: Flags.string({
			multiple: true,
			multipleNonGreedy: true,
			helpValue: 'KEY=VALUE',
			description: 'keep this label with the backup; may be given more than once',
		}),
		compression: Flags.string({ default: 'zstd-1', description: 'none, or zstd-1 (fast) to zstd-19 (small)' }),
		concurrency: concurrencyFlag('partitions that are read and stored at once'),
		'with-accounts': Flags.boolean({
			description:
				'take users with the hashes of their passwords, groups, memberships and the rights on the database, too; needs an administrator. Encrypt such a backup',
		}),
		'no-count': Flags.boolean({
			description: "do not compare with the server's own count of rows (a full scan of each table)",
		}),
		'dry-run': Flags.boolean({ description: 'say what would be taken, and do nothing' }),
		discard: Flags.boolean({ description: 'when stopped, drop the copies and delete what was written' }),
	}

	async run(): Promise<CreatedBackup> {
		const { flags } = await this.parse(BackupCreate)
		const keys = keysOfFlags(flags)
		const algorithm = flags['encryption-algorithm']
		const labels = Object.fromEntries(parsePairs(flags.label ?? [], '--label'))
		const { backup, clusterBackup, decideEngine } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using opened = await openRepository({
			config: this.config,
			repo: flags.repo,
			writable: !flags['dry-run'],
			...work,
		})
		await using ydb = await openDatabase(flags, work)
		const { source, sink, transfers, endpoint } = ydb
		const { repository } = opened
		const access = clusterAccess(flags, repository.storage, { endpoint, concurrency: flags.concurrency })
		const taken = {
			source,
			repository,
			paths: flags.path,
			include: flags.include,
			exclude: flags.exclude,
			kinds: flags.kind,
			excludeKinds: flags['exclude-kind'],
			labels,
			compression: flags.compression,
			encryption: keys.length > 0 || algorithm !== undefined ? { keys, algorithm } : undefined,
			concurrency: flags.concurrency,
			accounts: flags['with-accounts'] ? ydb.accounts : undefined,
			keepCopy: flags['keep-copy'],
			dryRun: flags['dry-run'],
			discardOnInterrupt: flags.discard,
			signal: work.signal,
			onEvent: work.onEvent,
			tool: this.tool,
		}
		const unsupported = flags.incremental
			? 'it exports everything, and no increments'
			: flags['keep-copy']
				? 'no copy stays of what it exports'
				: undefined
		const choice =
			flags.engine === 'auto'
				? await decideEngine({ ...taken, ...access, transfers, storage: repository.storage, unsupported })
				: undefined
		const engine = choice?.engine ?? (flags.engine === 'cluster' ? 'cluster' : 'client')
		if (engine === 'cluster' && flags.incremental) throw noIncrement()
		if (engine === 'cluster' && flags['keep-copy']) throw noCopy()
		const result =
			engine === 'cluster'
				? await clusterBackup({ ...taken, ...access, transfers, sink })
				: await backup({
						...taken,
						parent: flags.incremental ? parseId(flags.parent ?? 'latest') : undefined,
						countRows: !flags['no-count'],
					})
		work.complete()
		await noteKeys({ config: this.config, repo: flags.repo }, result.keysUsed, { backup: result.id, by: 'backup' })
		const created = createdBackup(result, {
			repository: opened.location,
			engine,
			reason: choice?.reason,
			keepCopy: flags['keep-copy'],
		})
		this.show(flags, createdBackupText(created))
		return created
	}
}

function noIncrement(): BackupError {
	return new BackupError('CONFIG_INVALID', '--engine cluster and --incremental are both given', {
		advice: 'the cluster exports whole tables: take increments with --engine client, or ship a backup collection',
	})
}

function noCopy(): BackupError {
	return new BackupError('CONFIG_INVALID', '--engine cluster and --keep-copy are both given', {
		advice: 'the cluster drops the copies that it exports: keep one with --engine client',
	})
}
