import * as Flags from '@oclif/core/flags'
import type { InferredFlags } from '@oclif/core/interfaces'
import { type AccountAdmin, BackupError } from '@ydbackup/core'
import type { Ydb } from '@ydbackup/ydb'
import type { RestoreSettings } from '@ydbackup/engine'
import { YdbackupCommand } from '../command.ts'
import { clusterAccess, clusterFlags } from '../cluster/cluster-flags.ts'
import { connectionFlags } from '../connection/connection-flags.ts'
import { openDatabase } from '../connection/open-database.ts'
import { keyFlags, keysOfFlags } from '../encryption/key-flags.ts'
import { noteKeys } from '../encryption/note-keys.ts'
import { openForeign } from '../foreign/open-foreign.ts'
import { restoredBackupText, restoredFailure, type RestoredBackup } from '../report/restored-backup.ts'
import { idOf, idUnlessAt, parseWanted } from '../repository/backup-id.ts'
import { openRepository, openRepositoryForUse } from '../repository/open-repository.ts'
import { repositoryFlags } from '../repository/repository-flags.ts'
import { parsePairs } from '../run/pair.ts'
import { concurrencyFlag, kindFlags, patternFlags } from '../run/selection-flags.ts'

export default class Restore extends YdbackupCommand {
	static override summary = 'bring back a backup, in place or to another path, whole or in part'
	static override description =
		'everything is checked before anything is written: the manifest, every object that is needed, and what stands in the target. Nothing that exists is overwritten or replaced unless --existing says so, and nothing is removed that this run has not created or replaced. Objects come in the order in which they need each other, views last; paths in their statements follow what is restored elsewhere. An object that the database refuses is named, and the others are restored. A restore that is stopped or killed is gone on with by the same command and --resume'
	static override examples = [
		'<%= config.bin %> <%= command.id %> latest --endpoint grpc://localhost:2136 --database /local --repo /srv/backups --verify-data',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --include shop/orders --to /local/rescued',
		'<%= config.bin %> <%= command.id %> --at 2026-11-23T02:15:00Z --to /local/rescued',
		'<%= config.bin %> <%= command.id %> latest --include shop/orders --existing replace',
		'<%= config.bin %> <%= command.id %> latest --kind view,topic --existing merge',
		'<%= config.bin %> <%= command.id %> latest --dry-run',
		'<%= config.bin %> <%= command.id %> 20261123T021530Z-k3f9 --resume',
		'<%= config.bin %> <%= command.id %> latest --method native',
		'<%= config.bin %> <%= command.id %> latest --engine cluster --to /local/rescued --repo s3://backups/ydb',
		'<%= config.bin %> <%= command.id %> --from /srv/dumps/monday --to /local/rescued',
		'<%= config.bin %> <%= command.id %> --from s3://bucket/exports/monday --encryption-key file:/etc/ydbackup/key',
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
		from: Flags.string({
			helpValue: 'DIR|URL',
			description:
				"instead of a backup in a repository: what YDB's own tools wrote, a directory of ydb tools dump or an export by the cluster",
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
		...kindFlags,
		existing: Flags.option({
			options: ['fail', 'merge', 'replace'] as const,
			default: 'fail' as const,
			description:
				'what to do about tables that exist: refuse before anything is written, write the rows over theirs, or load new tables beside them that take their places at one moment; other objects that exist are refused, or with merge and replace left as they are',
		})(),
		'allow-downstream-events': Flags.boolean({
			description:
				'write into tables with changefeeds, whose readers (replications, transfers, programs) see every row, and into tables that transfers write to',
		}),
		method: Flags.option({
			options: ['apply', 'native'] as const,
			default: 'apply' as const,
			exclusive: ['from'],
			description:
				"who puts a chain together: this command, or the cluster's own RESTORE of a collection that the chain is imported into, for which all tables must go to their own paths",
		})(),
		engine: Flags.option({
			options: ['client', 'cluster'] as const,
			default: 'client' as const,
			exclusive: ['from'],
			helpGroup: 'CLUSTER',
			description:
				'who writes the rows: this process, or the nodes of the cluster, which read whole tables from an S3 by themselves; not at one moment, and only where nothing stands',
		})(),
		...clusterFlags,
		'scheme-only': Flags.boolean({ exclusive: ['data-only'], description: 'everything but rows' }),
		'data-only': Flags.boolean({ description: 'rows into tables that are there already' }),
		'with-accounts': Flags.boolean({
			description:
				'create users, groups and memberships that are missing, and restore the rights on the database; needs an administrator',
		}),
		'no-acl': Flags.boolean({ description: 'leave out owners and grants' }),
		'root-acl': Flags.boolean({
			exclusive: ['no-acl', 'data-only'],
			description:
				'give the database itself the owner and the grants that the backup has of it; nothing is taken from anybody',
		}),
		ttl: Flags.option({
			options: ['keep', 'off'] as const,
			default: 'keep' as const,
			description: 'switch TTLs on at the end, or leave them off: with old backups TTL deletes rows at once',
		})(),
		'storage-settings': Flags.option({
			options: ['adapt', 'keep', 'drop'] as const,
			default: 'adapt' as const,
			description:
				'pools, families, compression, external blobs and read replicas: leave out what this cluster refuses, insist on all, or take its own for all tables',
		})(),
		'verify-data': Flags.boolean({ description: 'read every restored table back and compare all of its rows' }),
		'accept-native-damage': Flags.boolean({
			description: "go on although files are damaged that only YDB's own import needs",
		}),
		resume: Flags.boolean({
			exclusive: ['restart'],
			description:
				'go on with a restore of the same backup with the same flags that was stopped or killed; where there is none, begin one',
		}),
		restart: Flags.boolean({
			exclusive: ['dry-run'],
			description:
				'begin anew although a restore to the same places did not end: its tables that are not complete are dropped, others stay',
		}),
		'dry-run': Flags.boolean({ description: 'check everything, say what would be done, and write nothing' }),
		concurrency: concurrencyFlag('data files that are read and written at once'),
	}

	async run(): Promise<RestoredBackup> {
		const { args, flags, raw } = await this.parse(Restore)
		const settings = settingsOf(flags)
		const keys = keysOfFlags(flags)
		const accountsOf = ({ accounts }: Ydb): AccountAdmin | undefined => (flags['with-accounts'] ? accounts : undefined)
		using work = this.startWork(flags)
		let restored: RestoredBackup
		if (flags.from === undefined) {
			const wanted = parseWanted(args.id, flags.at)
			const { restore } = await import('@ydbackup/engine')
			const where = { config: this.config, repo: flags.repo, ...work }
			await using opened = await (flags['dry-run']
				? openRepository({ ...where, writable: false })
				: openRepositoryForUse(where))
			const { repository, location } = opened
			const id = await idOf(repository, wanted, work.signal)
			await using ydb = await openDatabase(flags, work)
			const native = flags.method === 'native' ? ydb.collections : undefined
			const access = clusterAccess(flags, repository.storage, ydb)
			const cluster = flags.engine === 'cluster' ? { ...access, transfers: ydb.transfers } : undefined
			if (cluster !== undefined && native !== undefined) throw twoEngines()
			const result = await restore({
				...settings,
				...work,
				sink: ydb.sink,
				accounts: accountsOf(ydb),
				repository,
				id,
				keys,
				native,
				cluster,
			})
			const used = flags['dry-run'] ? [] : result.keysUsed
			await noteKeys({ config: this.config, repo: flags.repo }, used, { backup: result.id, by: 'restore' })
			restored = { repository: location, ...result }
		} else {
			const isRepoGiven = raw.some((token) => token.type === 'flag' && token.flag === 'repo')
			assertNoBackup({ id: args.id, '--at': flags.at, '--repo': isRepoGiven ? flags.repo : undefined })
			const { restoreFrom } = await import('@ydbackup/engine')
			await using opened = await openForeign(flags.from, { config: this.config, ...work })
			const { storage, name } = opened
			await using ydb = await openDatabase(flags, work)
			restored = await restoreFrom({
				...settings,
				...work,
				sink: ydb.sink,
				accounts: accountsOf(ydb),
				storage,
				name,
				keys,
			})
		}
		work.complete()
		this.failure = restoredFailure(restored)
		this.show(flags, restoredBackupText(restored))
		return restored
	}
}

function twoEngines(): BackupError {
	return new BackupError('CONFIG_INVALID', '--engine cluster and --method native are both given', {
		advice: 'keep one: the first imports a full backup, the second puts a chain together',
	})
}

type RestoreFlags = InferredFlags<typeof Restore.flags>

function settingsOf(flags: RestoreFlags): Omit<RestoreSettings, 'sink'> {
	return {
		to: flags.to,
		map: parsePairs(flags.map ?? [], '--map'),
		include: flags.include,
		exclude: flags.exclude,
		kinds: flags.kind,
		excludeKinds: flags['exclude-kind'],
		rootAcl: flags['root-acl'],
		existing: flags.existing,
		allowDownstreamEvents: flags['allow-downstream-events'],
		schemeOnly: flags['scheme-only'],
		dataOnly: flags['data-only'],
		noAcl: flags['no-acl'],
		ttl: flags.ttl,
		storageSettings: flags['storage-settings'],
		verifyData: flags['verify-data'],
		acceptNativeDamage: flags['accept-native-damage'],
		dryRun: flags['dry-run'],
		unfinished: flags.resume ? 'resume' : flags.restart ? 'restart' : 'refuse',
		concurrency: flags.concurrency,
	}
}

/** Two sources contradict each other, and nobody should have to guess which one was restored. */
function assertNoBackup(given: Readonly<Record<string, string | undefined>>): void {
	for (const [what, value] of Object.entries(given)) {
		if (value === undefined) continue
		throw new BackupError(
			'CONFIG_INVALID',
			`--from and ${what === 'id' ? 'the id of a backup' : what} are both given`,
			{
				advice: 'keep one: --from reads what lies at its place, an id names a backup in a repository',
			},
		)
	}
}
