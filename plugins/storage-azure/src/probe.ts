import { BackupError, type Capabilities, isBackupError, type Lacking } from '@ydbackup/core'
import { BLOCK_BYTES, MAX_BLOCKS } from './blocks.ts'
import { conditionsOf } from './conditions.ts'
import { request, type StoreContext } from './context.ts'
import type { Place } from './location.ts'
import type { Task } from './trying.ts'

/** What every container has. */
export const CAPABILITIES: Capabilities = {
	conditionalCreate: true,
	strongList: true,
	orderedList: true,
	rangeRead: true,
	retention: {
		lacking:
			'objects are held only with ?immutability=unlocked or locked, in a container with version-level immutability',
	},
	serverSideCopy: { lacking: 'copies go through this process' },
	maxObjectBytes: BLOCK_BYTES * MAX_BLOCKS,
	maxKeyBytes: 512,
	maxConcurrency: 32,
}

/** Checks that the container can be reached and used, and what it can do: by reading alone, unless it is opened for writing. */
export async function probe(
	context: StoreContext,
	signal: AbortSignal | undefined,
	writable: boolean,
): Promise<Capabilities> {
	const task = { doing: `open ${context.place.shown}`, signal }
	await reach(context, task, writable)
	const [orderedList, retention, conditionalCreate] = await Promise.all([
		orderOf(context, task),
		retentionOf(context, task),
		writable ? conditionsOf(context, task) : (true as const),
	])
	return { ...CAPABILITIES, orderedList, retention, conditionalCreate }
}

/** A key that no repository has. */
const NOBODY = '.ydbackup-probe'

/**
 * Lists one object; without the right to, looks for one; without that right too, a writer may go on: credentials that can only
 * put are good for backups. Credentials that nobody knows are not.
 */
async function reach(context: StoreContext, task: Task, writable: boolean): Promise<void> {
	const { container, place } = context
	const list = (abortSignal: AbortSignal): Promise<unknown> =>
		container.listBlobsFlat({ prefix: place.prefix, abortSignal }).byPage({ maxPageSize: 1 }).next()
	const look = (abortSignal: AbortSignal): Promise<unknown> =>
		container.getBlockBlobClient(place.prefix + NOBODY).getProperties({ abortSignal })
	try {
		await request(context, task, list)
	} catch (error) {
		if (!isMissingRight(error)) throw named(error, place)
		try {
			await request(context, task, look)
		} catch (second) {
			if (isBackupError(second, 'STORAGE_NOT_FOUND') && second.reason !== 'container-missing') return
			if (!isMissingRight(second) || !writable) throw named(second, place)
		}
	}
}

/** A refusal of somebody who is known. */
function isMissingRight(error: unknown): boolean {
	return isBackupError(error, 'STORAGE_PERMISSION') && error.reason === 'right'
}

function named(error: unknown, { container, shown }: Place): unknown {
	if (!isBackupError(error) || error.reason !== 'container-missing') return error
	return new BackupError('STORAGE_NOT_FOUND', `cannot open ${shown}: there is no container ${container}`, {
		reason: 'container-missing',
		advice: `create the container, for example with: az storage container create --name ${container}`,
		cause: error,
	})
}

/** A hierarchical namespace lists directory by directory, which is another order than that of the keys. */
async function orderOf(context: StoreContext, task: Task): Promise<true | Lacking> {
	const isHierarchical = await unlessRefused(
		request(context, task, async (abortSignal) => {
			const { isHierarchicalNamespaceEnabled } = await context.container.getAccountInfo({ abortSignal })
			return isHierarchicalNamespaceEnabled ?? false
		}),
		task,
	)
	if (isHierarchical === false) return true
	return {
		lacking:
			isHierarchical === undefined
				? 'these credentials may not ask whether the account has a hierarchical namespace, which lists in another order'
				: 'the account has a hierarchical namespace, which lists directory by directory',
	}
}

async function retentionOf(context: StoreContext, task: Task): Promise<true | Lacking> {
	if (!context.place.immutability) return CAPABILITIES.retention
	const has = await unlessRefused(
		request(context, task, async (abortSignal) => {
			const { isImmutableStorageWithVersioningEnabled } = await context.container.getProperties({ abortSignal })
			return isImmutableStorageWithVersioningEnabled ?? false
		}),
		task,
	)
	if (has === true) return true
	return {
		lacking:
			has === undefined
				? 'these credentials may not ask whether the container has version-level immutability'
				: 'the container has no version-level immutability: enable it when the container is created',
	}
}

async function unlessRefused<T>(answer: Promise<T>, task: Task): Promise<T | undefined> {
	try {
		return await answer
	} catch (error) {
		if (task.signal?.aborted || !isBackupError(error)) throw error
		// What only adds to what is known must not keep a store from being opened by those who may use it.
		if (error.code === 'STORAGE_PERMISSION' || error.retry === 'no') return undefined
		throw error
	}
}
