import { readFile } from 'node:fs/promises'
import * as Flags from '@oclif/core/flags'
import { BackupError, type Storage } from '@ydbackup/core'
import type { ClusterStore, OpenClusterStore } from '@ydbackup/engine'

const HELP = 'CLUSTER'

/** How the nodes of a cluster come to the store. */
export const clusterFlags = {
	'bridge-listen': Flags.string({
		helpValue: 'HOST:PORT',
		helpGroup: HELP,
		description:
			'with --engine cluster, for stores that are no S3: open an S3 here, on an address of this machine that every node reaches, and pass everything on to the store',
	}),
	'bridge-advertise': Flags.string({
		helpValue: 'HOST[:PORT]',
		helpGroup: HELP,
		dependsOn: ['bridge-listen'],
		description: 'how the nodes call that address; default: as --bridge-listen',
	}),
	'bridge-cert': Flags.string({
		helpValue: 'FILE',
		helpGroup: HELP,
		dependsOn: ['bridge-listen', 'bridge-key'],
		description: 'certificate of the bridge, PEM, which the nodes must trust; without it rows pass over plain HTTP',
	}),
	'bridge-key': Flags.string({
		helpValue: 'FILE',
		helpGroup: HELP,
		dependsOn: ['bridge-cert'],
		description: 'private key of the certificate, PEM',
	}),
	'send-key-in-clear': Flags.boolean({
		helpGroup: HELP,
		description: 'send the encryption key to the cluster although the connection (grpc:) is not encrypted',
	}),
}

export interface ClusterFlags {
	readonly 'bridge-listen'?: string | undefined
	readonly 'bridge-advertise'?: string | undefined
	readonly 'bridge-cert'?: string | undefined
	readonly 'bridge-key'?: string | undefined
	readonly 'send-key-in-clear'?: boolean | undefined
}

export interface ClusterAccess {
	readonly openStore: OpenClusterStore
	readonly isBridged: boolean
	readonly isSecure: boolean
	readonly sendKeyInClear: boolean | undefined
}

/** What an engine run needs to let the cluster at a store. `concurrency` is of large objects that pass a bridge at once. */
export function clusterAccess(
	flags: ClusterFlags,
	storage: Storage,
	{ endpoint, concurrency }: { readonly endpoint: string; readonly concurrency?: number | undefined },
): ClusterAccess {
	const listen = flags['bridge-listen']
	const address = listen === undefined ? undefined : parseAddress(listen)
	return {
		isBridged: address !== undefined,
		isSecure: endpoint.startsWith('grpcs:'),
		sendKeyInClear: flags['send-key-in-clear'],
		async openStore({ prefixes, isWritable }): Promise<ClusterStore> {
			if (address === undefined) return (await import('@ydbackup/engine')).openServerSide(storage)
			const { openBridge } = await import('@ydbackup/bridge')
			let moved = 0
			const tls = await readTls(flags)
			const bridge = await openBridge({
				storage,
				prefixes,
				isWritable,
				listen: address,
				advertise: flags['bridge-advertise'],
				concurrency,
				onMoved: (bytes) => (moved += bytes),
				...(tls && { tls }),
			})
			return {
				place: bridge.place,
				prefix: '',
				isBridged: true,
				written: bridge.objects,
				movedBytes: () => moved,
				explain: () =>
					bridge.requests === 0
						? `nobody has come to the bridge at ${bridge.place.endpoint}`
						: `${bridge.requests} requests came to the bridge, ${bridge.refused} of them with a wrong signature`,
				[Symbol.asyncDispose]: () => bridge[Symbol.asyncDispose](),
			}
		},
	}
}

function parseAddress(text: string): { readonly host: string; readonly port: number } {
	const [, bare, bracketed, port] = /^(?:([^:[\]]+)|\[([0-9a-f:.]+)\]):(\d{1,5})$/iu.exec(text) ?? []
	const host = bare ?? bracketed
	if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) }
	throw new BackupError('CONFIG_INVALID', `--bridge-listen ${JSON.stringify(text)} is no address with a port`, {
		advice: 'write it like 10.0.0.5:9000 or [2001:db8::5]:9000',
	})
}

async function readTls(flags: ClusterFlags): Promise<{ readonly cert: string; readonly key: string } | undefined> {
	const { 'bridge-cert': cert, 'bridge-key': key } = flags
	if (cert === undefined || key === undefined) return undefined
	const read = async (file: string): Promise<string> => {
		try {
			return await readFile(file, 'utf8')
		} catch (cause) {
			throw new BackupError('CONFIG_INVALID', `cannot read ${file}`, { advice: 'give a PEM file', cause })
		}
	}
	return { cert: await read(cert), key: await read(key) }
}
