import { type ClusterTransfers, isBackupError, type Storage } from '@ydbackup/core'

import { makePlan } from '../backup/backup.ts'
import type { BackupOptions } from '../backup/backup-options.ts'
import { createReporter } from '../events/reporter.ts'
import { isServerSide } from './cluster-store.ts'

/** Above this one process is the narrow place, and below it the cluster's own export costs more than it saves. */
export const LARGE_BYTES: number = 50 * 2 ** 30

export interface EngineChoice {
	readonly engine: 'client' | 'cluster'
	/** For people. */
	readonly reason: string
}

export interface ChooseEngineOptions {
	/** Whether the cluster can write to the store, by itself or through a bridge that was asked for. */
	readonly isReachable: boolean
	/** Undefined when the database does not say it. */
	readonly bytes: number | undefined
	/** What was asked for and the cluster cannot do. */
	readonly unsupported?: string | undefined
}

/** Decides for `--engine auto`. */
export function chooseEngine({ isReachable, bytes, unsupported }: ChooseEngineOptions): EngineChoice {
	if (unsupported !== undefined) return { engine: 'client', reason: `the cluster cannot do this: ${unsupported}` }
	if (!isReachable) return { engine: 'client', reason: 'the cluster cannot write to this store' }
	if (bytes === undefined) return { engine: 'client', reason: 'the database does not say how large it is' }
	const size = `${(bytes / 2 ** 30).toFixed(1)} GiB`
	const bound = `${LARGE_BYTES / 2 ** 30} GiB`
	return bytes >= LARGE_BYTES
		? { engine: 'cluster', reason: `the tables take ${size}, and the cluster exports what takes ${bound} or more` }
		: { engine: 'client', reason: `the tables take ${size}, which one process reads well (below ${bound})` }
}

export interface DecideOptions extends Pick<BackupOptions, 'source' | 'paths' | 'include' | 'exclude' | 'signal'> {
	readonly transfers: ClusterTransfers
	readonly storage: Storage
	readonly isBridged: boolean
	readonly unsupported?: string | undefined
}

/** Looks at what a backup would take, and decides who takes it. */
export async function decideEngine(options: DecideOptions): Promise<EngineChoice> {
	const { transfers, storage, isBridged, unsupported, signal } = options
	const isReachable = isBridged || isServerSide(storage)
	if (!isReachable || unsupported !== undefined) return chooseEngine({ isReachable, bytes: undefined, unsupported })
	const { tables } = await makePlan(options, createReporter(undefined))
	const paths = tables.map(({ path }) => path)
	return chooseEngine({ isReachable, bytes: await sizeOf(transfers, paths, signal) })
}

/** What the tables of a database take up, by the server's estimate; undefined where it does not say it. */
async function sizeOf(
	transfers: ClusterTransfers,
	tables: readonly string[],
	signal: AbortSignal | undefined,
): Promise<number | undefined> {
	try {
		const sizes = await transfers.sizes(tables, { signal })
		return Array.from(sizes.values()).reduce((sum, size) => sum + size, 0)
	} catch (error) {
		if (isBackupError(error, 'INTERRUPTED')) throw error
		return undefined
	}
}
