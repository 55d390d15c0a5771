import type { BlockBlobClient, ContainerClient } from '@azure/storage-blob'
import type { BackupError } from '@ydbackup/core'
import { storageError } from './failure.ts'
import type { Place } from './location.ts'
import { answered, type Task, trying } from './trying.ts'

/** What every call on an opened store needs. */
export interface StoreContext {
	readonly place: Place
	readonly container: ContainerClient
	readonly secrets: readonly string[]
	/** The end of the signature in use. */
	readonly expiresAt: Date | undefined
	/** Whether blobs can be held; only then they are asked for it. */
	readonly holds: boolean
}

/** A slower upload than this is taken for a dead one, in bytes per second. */
const SLOWEST = 256 << 10

export function blobOf({ container, place }: StoreContext, key: string): BlockBlobClient {
	return container.getBlockBlobClient(place.prefix + key)
}

export function errorOf({ secrets, expiresAt }: StoreContext, error: unknown, { doing }: Task): BackupError {
	return storageError(error, { doing, secrets, expiresAt })
}

/** One request with its bound of time, and with it the time that its body may take; its errors are those of the contract. */
export async function once<T>(
	context: StoreContext,
	task: Task,
	send: (signal: AbortSignal) => Promise<T>,
	bodyBytes = 0,
): Promise<T> {
	const timeoutMs = context.place.timeoutMs + (bodyBytes / SLOWEST) * 1000
	try {
		return await answered(task, timeoutMs, send)
	} catch (error) {
		throw errorOf(context, error, task)
	}
}

/** A request that may be made again as it is. */
export function request<T>(
	context: StoreContext,
	task: Task,
	send: (signal: AbortSignal) => Promise<T>,
	bodyBytes = 0,
): Promise<T> {
	return trying(
		task,
		(error) => errorOf(context, error, task),
		() => once(context, task, send, bodyBytes),
	)
}
