import { type Manifest, layout } from '@ydbackup/format'

import type { Keyring } from '../encryption/keyring.ts'
import type { Reporter } from '../events/reporter.ts'
import type { Contents } from '../restore/contents.ts'
import { assertImportable, type ClusterRestore, fillByImport } from './fill-by-import.ts'
import { probeImport } from './probe.ts'
import { assertKeyMayGo, clusterKey } from './start-export.ts'

export interface OpenImportOptions {
	readonly cluster: ClusterRestore
	readonly manifest: Manifest
	/** Of its chain. */
	readonly backups: number
	readonly keyring: Keyring
	readonly dryRun: boolean
	/** What is opened is closed with these. */
	readonly resources: AsyncDisposableStack
	readonly reporter: Reporter
	readonly signal: AbortSignal | undefined
}

/** The way of a restore that lets the cluster import; it is proven first that the cluster reaches the backup. Errors: those of {@link fillByImport}. */
export async function openImport(options: OpenImportOptions): Promise<Pick<Contents, 'fill' | 'fillsAll'>> {
	const { cluster, manifest, backups, keyring, dryRun, resources, reporter, signal } = options
	const { id, encryption: by } = manifest
	assertImportable(manifest, backups)
	const found = by && { key: await keyring.find(by.keyId, id), algorithm: by.algorithm }
	assertKeyMayGo(cluster, found)
	if (dryRun) return {}
	const key = found && clusterKey(found)
	const prefixes = [`${layout.backupPrefix(id)}/`]
	const store = resources.use(await cluster.openStore({ prefixes, isWritable: false }))
	const { transfers } = cluster
	const prefix = `${store.prefix}${layout.backupPrefix(id)}`
	await probeImport({ transfers, store, reporter, signal }, { prefix, key })
	return { fillsAll: true, fill: (run, stalls) => fillByImport(run, cluster, store, { manifest, key }, stalls) }
}
