import { ListMultipartUploadsCommand, ListObjectsV2Command, type MultipartUpload } from '@aws-sdk/client-s3'
import { BackupError, isKey, type ListOptions, type ObjectInfo, throwIfInterrupted } from '@ydbackup/core'
import type { Place } from './place.ts'
import type { S3Session } from './session.ts'

/** What a page holds at most, where the store keeps to S3. */
const FULL_PAGE = 1000

/**
 * The objects of a repository, in the order of their keys, a page at a time in memory. A listing that is not complete, or whose
 * order is not that of bytes, throws: `STORAGE_INTEGRITY`.
 */
export async function* listObjects(
	session: S3Session,
	place: Place,
	prefix: string,
	{ startAfter, signal }: ListOptions,
): AsyncGenerator<ObjectInfo> {
	const root = place.settings.prefix
	const doing = `list ${prefix || 'all objects'} in ${place.location}`
	let token: string | undefined
	let last: string | undefined
	for (;;) {
		const from = last ?? (startAfter === undefined ? undefined : root + startAfter)
		const command = new ListObjectsV2Command({
			Bucket: place.bucket,
			Prefix: root + prefix,
			EncodingType: 'url',
			...(token === undefined ? from !== undefined && { StartAfter: from } : { ContinuationToken: token }),
		})
		const page = await session.call({ doing, signal }, (abortSignal) => session.client.send(command, { abortSignal }))
		const decoded = page.EncodingType === 'url' ? decode : (key: string): string => key
		const { Contents: objects = [] } = page
		for (const { Key: encoded = '', Size: size, LastModified: modifiedAt } of objects) {
			throwIfInterrupted(signal, `trying to ${doing}`)
			const full = decoded(encoded)
			if (from !== undefined && token === undefined && !isAbove(full, from)) {
				// Some stores include the key to start after, or forget what they were asked.
				if (full === from) continue
				throw outOfOrder(doing, 'it began before the key that it was to start after')
			}
			if (last !== undefined && !isAbove(full, last))
				throw outOfOrder(doing, 'its keys are not in the order of their bytes')
			last = full
			const key = full.slice(root.length)
			if (!full.startsWith(root + prefix) || !isKey(key)) continue
			if (startAfter !== undefined && key <= startAfter) continue
			if (size === undefined) throw outOfOrder(doing, `${key} has no size`)
			yield { key, size, modifiedAt }
		}
		token = page.IsTruncated ? page.NextContinuationToken : undefined
		if (page.IsTruncated && token === undefined && objects.length === 0)
			throw outOfOrder(doing, 'a page is empty and not the last, and does not say where the next one begins')
		// A full page that claims to be the last may come from a store that knows no other: it is asked for what follows.
		if (!page.IsTruncated && objects.length < FULL_PAGE) return
	}
}

function outOfOrder(doing: string, why: string): BackupError {
	return new BackupError('STORAGE_INTEGRITY', `cannot ${doing}: ${why}`, {
		advice: 'the store does not list as S3 does; no repository can be kept there',
	})
}

function isAbove(key: string, other: string): boolean {
	return Buffer.compare(Buffer.from(key), Buffer.from(other)) > 0
}

function decode(text: string): string {
	return decodeURIComponent(text.replaceAll('+', ' '))
}

/** The multipart uploads that are unfinished, a page at a time in memory. */
export async function* listUploads(
	session: S3Session,
	place: Place,
	signal: AbortSignal | undefined,
): AsyncGenerator<MultipartUpload> {
	const doing = `list unfinished uploads in ${place.location}`
	let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
	for (;;) {
		const command = new ListMultipartUploadsCommand({
			Bucket: place.bucket,
			Prefix: place.settings.prefix,
			EncodingType: 'url',
			...marker,
		})
		const page = await session.call({ doing, signal }, (abortSignal) => session.client.send(command, { abortSignal }))
		const decoded = page.EncodingType === 'url' ? decode : (key: string): string => key
		for (const upload of page.Uploads ?? []) yield { ...upload, Key: decoded(upload.Key ?? '') }
		if (!page.IsTruncated) return
		const next = { KeyMarker: decoded(page.NextKeyMarker ?? ''), UploadIdMarker: page.NextUploadIdMarker }
		if (next.KeyMarker === marker.KeyMarker && next.UploadIdMarker === marker.UploadIdMarker)
			throw outOfOrder(doing, 'it does not go on')
		marker = next
	}
}
