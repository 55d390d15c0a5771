import { openBridge } from '@ydbackup/bridge'
import { Repository } from '@ydbackup/catalog'
import type { Storage } from '@ydbackup/core'
import { type Emulator, type EmulatorOptions, startEmulator } from '@ydbackup/emulator'
import {
	type BackupResult,
	clusterBackup,
	type ClusterBackupOptions,
	type EngineEvent,
	openServerSide,
	type OpenClusterStore,
	restore,
	type RestoreOptions,
	type RestoreResult,
	verify,
	type VerifyOptions,
	type VerifyReport,
} from '@ydbackup/engine'
import { openMemory, retrying } from '@ydbackup/storage'
import driver from '@ydbackup/storage-s3/driver'
import { connect, type Ydb } from '@ydbackup/ydb'
import { type S3Server, startS3Server } from '../../object-stores/src/s3/server.ts'

export const TOOL = { name: 'e2e', version: '0.0.0' }

/** An emulator whose nodes export, and a repository that they reach: an S3, or any store through a bridge. */
export interface ClusterWorld extends AsyncDisposable {
	readonly emulator: Emulator
	readonly ydb: Ydb
	/** Undefined for a bridge. */
	readonly s3: S3Server | undefined
	readonly storage: Storage
	readonly repository: Repository
	readonly events: EngineEvent[]
	readonly access: Pick<ClusterBackupOptions, 'source' | 'transfers' | 'openStore' | 'isBridged' | 'isSecure'>
	backup(options?: Partial<ClusterBackupOptions>): Promise<BackupResult>
	restore(options?: Partial<RestoreOptions>): Promise<RestoreResult>
	verify(options?: Partial<VerifyOptions>): Promise<VerifyReport>
	keys(prefix?: string): Promise<string[]>
}

export interface ClusterWorldOptions {
	readonly through: 's3' | 'bridge'
	readonly emulator?: EmulatorOptions
	/** Behind the bridge; in memory by default. */
	readonly storage?: Storage
}

/** The bridge as the command opens it. */
export function bridgeTo(storage: Storage): OpenClusterStore {
	return async ({ prefixes, isWritable }) => {
		const bridge = await openBridge({ storage, prefixes, isWritable, listen: { host: '127.0.0.1', port: 0 } })
		return {
			place: bridge.place,
			prefix: '',
			isBridged: true,
			written: bridge.objects,
			explain: () => `${bridge.requests} requests came`,
			[Symbol.asyncDispose]: () => bridge[Symbol.asyncDispose](),
		}
	}
}

export async function createClusterWorld({ through, ...options }: ClusterWorldOptions): Promise<ClusterWorld> {
	const emulator = await startEmulator({
		...options.emulator,
		faults: { operationDelayMs: 1, exactFloats: true, ...options.emulator?.faults },
	})
	const s3 = through === 's3' ? await startS3Server({ buckets: [{ name: 'backups' }] }) : undefined
	const opened = s3 === undefined ? (options.storage ?? openMemory()) : await openOn(s3)
	const storage = retrying(opened)
	const repository = await Repository.init(storage)
	const { database } = emulator
	const endpoint = `grpc://127.0.0.1:${emulator.port}`
	const ydb = await connect({ endpoint, database, credentials: { kind: 'anonymous' } })
	const events: EngineEvent[] = []
	const onEvent = (event: EngineEvent): void => void events.push(event)
	const isBridged = s3 === undefined
	const openStore = isBridged ? bridgeTo(storage) : (): ReturnType<OpenClusterStore> => openServerSide(storage)
	const { source, sink, transfers } = ydb
	const access = { source, transfers, openStore, isBridged, isSecure: false }
	return {
		emulator,
		ydb,
		s3,
		storage,
		repository,
		events,
		access,
		backup: (more) => clusterBackup({ ...access, sink, repository, tool: TOOL, onEvent, ...more }),
		restore: (more) => restore({ sink, repository, id: 'latest', existing: 'fail', onEvent, ...more }),
		verify: (more) => verify({ repository, id: 'latest', level: 'full', ...more }),
		async keys(prefix = '') {
			const keys: string[] = []
			for await (const { key } of storage.list(prefix)) keys.push(key)
			return keys.toSorted()
		},
		async [Symbol.asyncDispose]() {
			await ydb.close()
			await emulator.close()
			await storage[Symbol.asyncDispose]()
			await s3?.[Symbol.asyncDispose]()
		},
	}
}

function openOn({ endpoint, credential }: S3Server): Promise<Storage> {
	return driver.open(new URL(`s3://backups/ydb?endpoint=${encodeURIComponent(endpoint)}`), {
		environment: { AWS_ACCESS_KEY_ID: credential.accessKeyId, AWS_SECRET_ACCESS_KEY: credential.secretAccessKey },
		writable: true,
	})
}
