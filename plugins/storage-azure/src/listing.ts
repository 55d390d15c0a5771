import type { BlobItem } from '@azure/storage-blob'
import { BackupError, isKey, isKeyPrefix, type ListOptions, type ObjectInfo } from '@ydbackup/core'
import { request, type StoreContext } from './context.ts'
import { throwIfStopped } from './trying.ts'

/** Most blobs that the service puts on one page. */
const PAGE = 5000
/** A last page of so many blobs, or a multiple, may have been a full one of whoever answers. */
const ROUND = 1000

interface Page {
	readonly continuationToken?: string
	readonly segment: { readonly blobItems: readonly BlobItem[] }
}

/** Throws for a prefix that no key can have: it is a mistake, and must not pass for an empty listing. */
function assertPrefix(prefix: string): void {
	if (isKeyPrefix(prefix)) return
	throw new BackupError('STORAGE_PERMANENT', `${JSON.stringify(prefix.slice(0, 600))} is not the beginning of a key`, {
		advice: 'keys consist of letters, digits and ._=- in segments divided by /, without . and .. segments',
	})
}

/**
 * Every object, page after page until the service says that there are no more. With `isOrdered` the order is checked, not
 * trusted. Blobs whose names are no keys are those of somebody else.
 */
export async function* listing(
	context: StoreContext,
	prefix: string,
	{ startAfter, signal }: ListOptions,
	isOrdered: boolean,
): AsyncGenerator<ObjectInfo> {
	assertPrefix(prefix)
	const { container, place } = context
	const task = { doing: `list ${prefix || 'all objects'} in ${place.shown}`, signal }
	const pageAt = (continuationToken: string | undefined, maxPageSize: number): Promise<Page | undefined> =>
		request(context, task, async (abortSignal) => {
			const pages = container
				// In an account with a hierarchical namespace, directories are told from objects by their metadata alone.
				.listBlobsFlat({ prefix: place.prefix + prefix, includeMetadata: !isOrdered, abortSignal })
				.byPage({ maxPageSize, ...(continuationToken && { continuationToken }) })
			const { value } = await pages.next()
			return value
		})
	let continuationToken: string | undefined
	let last: string | undefined
	do {
		throwIfStopped(task)
		const page = await pageAt(continuationToken, PAGE)
		const count = page?.segment.blobItems.length ?? 0
		// Something between may have dropped the token: a page that is one shorter must say that there is more.
		if (!page?.continuationToken && count > 0 && count % ROUND === 0) {
			const shorter = await pageAt(continuationToken, count - 1)
			if (!shorter?.continuationToken)
				throw new BackupError('STORAGE_PERMANENT', `cannot ${task.doing}: the service hides what comes after a page`, {
					advice: 'check that the endpoint is Azure Blob Storage, and that no proxy changes its answers',
				})
		}
		for (const { name, metadata, properties } of page?.segment.blobItems ?? []) {
			throwIfStopped(task)
			const key = name.slice(place.prefix.length)
			if (!isKey(key) || metadata?.['hdi_isfolder'] === 'true') continue
			if (isOrdered && last !== undefined && key <= last)
				throw new BackupError('STORAGE_PERMANENT', `cannot ${task.doing}: ${key} came after ${last}, out of order`, {
					advice: 'check that the endpoint is Azure Blob Storage',
				})
			last = key
			if (startAfter !== undefined && key <= startAfter) continue
			yield { key, size: properties.contentLength ?? 0, modifiedAt: properties.lastModified }
		}
		continuationToken = page?.continuationToken || undefined
	} while (continuationToken !== undefined)
}
