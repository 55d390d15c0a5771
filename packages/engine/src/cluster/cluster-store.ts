import { BackupError, type S3Place, type Storage } from '@ydbackup/core'

/** A repository's store as the nodes of a cluster see it. Disposing it ends what was opened for them. */
export interface ClusterStore extends AsyncDisposable {
	readonly place: S3Place
	/** What stands before our keys there: empty, or ending at a slash. */
	readonly prefix: string
	/** Bytes pass through this process, and end with it. */
	readonly isBridged: boolean
	/** Of a bridge: what was written, by our keys, hashed as it passed. */
	readonly written?: ReadonlyMap<string, { readonly size: number; readonly sha256: string }> | undefined
	/** Of a bridge: bytes that have passed. */
	movedBytes?(): number
	/** Of a bridge: whether anybody has come at all, for the error when nobody could. */
	explain?(): string
}

/** Opens the store for a run whose keys begin so. */
export type OpenClusterStore = (use: {
	readonly prefixes: readonly string[]
	readonly isWritable: boolean
}) => Promise<ClusterStore>

/** Whether a store can be written by the cluster itself. */
export function isServerSide(storage: Storage): boolean {
	return storage.serverSideTarget?.('')?.kind === 's3'
}

/** The store that nodes reach by themselves, with the credentials that we have. Errors: `UNSUPPORTED`; those of the driver. */
export async function openServerSide(storage: Storage): Promise<ClusterStore> {
	const target = storage.serverSideTarget?.('')
	if (target?.kind !== 's3' || target.credentials === undefined) {
		throw new BackupError('UNSUPPORTED', `the cluster cannot write to ${storage.location} by itself: it is no S3`, {
			advice: 'give --bridge-listen with an address of this machine that the nodes reach, or use --engine client',
		})
	}
	const { settings } = target
	const credentials = await target.credentials()
	return {
		place: {
			endpoint: settings['endpoint'] ?? '',
			scheme: settings['scheme'] === 'HTTP' ? 'HTTP' : 'HTTPS',
			bucket: settings['bucket'] ?? '',
			region: settings['region'],
			storageClass: settings['storage_class'],
			isPathStyle: settings['disable_virtual_addressing'] === 'true',
			accessKey: credentials['access_key'] ?? '',
			secretKey: credentials['secret_key'] ?? '',
		},
		prefix: settings['prefix'] ?? '',
		isBridged: false,
		async [Symbol.asyncDispose]() {},
	}
}
