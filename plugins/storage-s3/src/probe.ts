import { hash } from 'node:crypto'
import {
	AbortMultipartUploadCommand,
	CompleteMultipartUploadCommand,
	CreateMultipartUploadCommand,
	DeleteObjectCommand,
	GetObjectLockConfigurationCommand,
	ListObjectsV2Command,
	PutObjectCommand,
	UploadPartCommand,
} from '@aws-sdk/client-s3'
import { type BackupError, isBackupError, type Lacking } from '@ydbackup/core'
import { type Guard, guarding } from './digest.ts'
import { setHeader } from './headers.ts'
import type { Place } from './place.ts'
import { briefly, type S3Session } from './session.ts'

/** `~` is in no key, so no key can be this one and no listing shows it. */
const PROBE = '.~ydbackup-probe'
const BYTES = Buffer.from('ydbackup: written and removed again when a repository is opened\n')

/** What a store was found to do. */
export interface Findings {
	readonly conditionalPut: true | Lacking
	readonly conditionalComplete: true | Lacking
	readonly guard: Guard
}

/** Throws when the bucket cannot be reached with these credentials. One that may not list is let pass. */
export async function reach(
	session: S3Session,
	place: Place,
	doing: string,
	signal: AbortSignal | undefined,
): Promise<void> {
	const command = new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.settings.prefix, MaxKeys: 1 })
	await session
		.call({ doing, signal }, (abortSignal) => session.client.send(command, { abortSignal }))
		.catch((error: unknown) => {
			if (!isBackupError(error, 'STORAGE_PERMISSION') || error.reason !== 'AccessDenied') throw error
		})
}

/** Whether an error says what the store can do, rather than that it cannot be asked now. */
function isAnswer(error: unknown): error is BackupError {
	return isBackupError(error) && error.retry === 'no' && error.code !== 'INTERRUPTED'
}

/** Whether objects can be held in the bucket. */
export async function findLock(
	session: S3Session,
	{ bucket, location }: Place,
	signal: AbortSignal | undefined,
): Promise<true | Lacking> {
	try {
		const command = new GetObjectLockConfigurationCommand({ Bucket: bucket })
		const { ObjectLockConfiguration: found } = await session.call(
			{ doing: `ask whether ${location} can hold objects`, signal, attempts: 2 },
			(abortSignal) => session.client.send(command, { abortSignal }),
		)
		if (found?.ObjectLockEnabled === 'Enabled') return true
	} catch (error) {
		if (!isAnswer(error)) throw error
		if (error.code === 'STORAGE_PERMISSION')
			return {
				lacking: 'these credentials may not read the object lock of the bucket (s3:GetBucketObjectLockConfiguration)',
			}
	}
	return { lacking: 'the bucket was created without object lock' }
}

/** How the store can be made to find damage: it is sent a body with a wrong CRC-32, then one with a wrong hash in the signature. */
async function findGuard(session: S3Session, place: Place, signal: AbortSignal | undefined): Promise<Guard> {
	const key = `${PROBE}-damaged`
	const other = Buffer.from('other bytes')
	const common = { ...place.at(key), ...place.creating, Body: BYTES }
	const isRefused = async (command: PutObjectCommand): Promise<boolean> => {
		try {
			const plan = { doing: `write to ${place.location}`, signal, attempts: 1 }
			await session.call(plan, (abortSignal) => session.client.send(command, { abortSignal }))
			return false
		} catch (error) {
			if (isBackupError(error, 'INTERRUPTED')) throw error
			return isBackupError(error) && (error.code === 'STORAGE_INTEGRITY' || error.reason === 'SignatureDoesNotMatch')
		}
	}
	const wrongCrc = { ...common, ...guarding('md5', BYTES), ...guarding('crc32', other) }
	if (await isRefused(new PutObjectCommand(wrongCrc))) return 'crc32'
	const wrongHash = new PutObjectCommand({ ...common, ...guarding('md5', BYTES) })
	setHeader(wrongHash, 'x-amz-content-sha256', hash('sha256', other))
	const guard = (await isRefused(wrongHash)) ? 'signature' : 'md5'
	await discard(session, place, key)
	return guard
}

async function discard(session: S3Session, place: Place, key: string): Promise<void> {
	const command = new DeleteObjectCommand(place.at(key))
	// Credentials without the right to delete leave one small object there, under a name that no listing shows.
	await session
		.call({ doing: `remove the probe in ${place.location}`, signal: briefly() }, (abortSignal) =>
			session.client.send(command, { abortSignal }),
		)
		.catch(() => undefined)
}

/**
 * Tries what the store does with conditions and checksums, and removes what it wrote.
 * Throws when objects cannot be written there at all.
 */
export async function probe(session: S3Session, place: Place, signal: AbortSignal | undefined): Promise<Findings> {
	const { client } = session
	const doing = `write to ${place.location}`
	const create = (): Promise<'created' | 'exists'> =>
		session
			.call({ doing, signal }, (abortSignal) =>
				client.send(
					new PutObjectCommand({
						...place.at(PROBE),
						...place.creating,
						Body: BYTES,
						...guarding('md5', BYTES),
						IfNoneMatch: '*',
					}),
					{ abortSignal },
				),
			)
			.then(
				() => 'created' as const,
				(error: unknown) => {
					if (isBackupError(error, 'STORAGE_ALREADY_EXISTS')) return 'exists'
					throw error
				},
			)
	let isOurs = false
	try {
		const [first, guard] = await both(create(), findGuard(session, place, signal))
		isOurs = first === 'created'
		// Only who created the probe removes it: whoever meets it meets a store that enforces the condition.
		const second = isOurs ? await create() : 'exists'
		const conditionalPut = second === 'exists' ? true : { lacking: 'the store ignores If-None-Match' }
		if (conditionalPut !== true) return { conditionalPut, conditionalComplete: conditionalPut, guard }
		return { conditionalPut, conditionalComplete: await findConditionalComplete(session, place, signal), guard }
	} catch (error) {
		if (!isBackupError(error, 'STORAGE_UNSUPPORTED')) throw error
		const lacking = { lacking: `the store refuses If-None-Match (${error.reason ?? 'without a reason'})` }
		return { conditionalPut: lacking, conditionalComplete: lacking, guard: 'md5' }
	} finally {
		if (isOurs) await discard(session, place, PROBE)
	}
}

/** Both results, when both have settled: nothing is under way after a failure. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
	const [first, second] = await Promise.allSettled([a, b])
	if (first.status === 'rejected') throw first.reason
	if (second.status === 'rejected') throw second.reason
	return [first.value, second.value]
}

/**
 * Whether the end of a multipart upload heeds the condition. Another process that probes at the same time may remove the object
 * that should be in the way, so a store is believed to ignore the condition only at the second time.
 */
async function findConditionalComplete(
	session: S3Session,
	place: Place,
	signal: AbortSignal | undefined,
): Promise<true | Lacking> {
	try {
		for (let round = 1; round <= 2; round++) if (await meetsConflict(session, place, signal)) return true
		return { lacking: 'the store ignores If-None-Match at the end of a multipart upload' }
	} catch (error) {
		if (!isAnswer(error)) throw error
		return { lacking: `the store refuses a conditional multipart upload (${error.reason ?? error.code})` }
	}
}

async function meetsConflict(session: S3Session, place: Place, signal: AbortSignal | undefined): Promise<boolean> {
	const { client } = session
	const key = `${PROBE}-parts`
	const target = place.at(key)
	const doing = `try a multipart upload in ${place.location}`
	const body = { Body: BYTES, ...guarding('md5', BYTES) }
	const inTheWay = new PutObjectCommand({ ...target, ...place.creating, ...body })
	const begin = new CreateMultipartUploadCommand({ ...target, ...place.creating })
	let UploadId: string | undefined
	try {
		const [created] = await both(
			session.call({ doing, signal }, (abortSignal) => client.send(begin, { abortSignal })),
			session.call({ doing, signal }, (abortSignal) => client.send(inTheWay, { abortSignal })),
		)
		UploadId = created.UploadId
		const send = new UploadPartCommand({ ...target, ...place.unlocking, ...body, UploadId, PartNumber: 1 })
		const { ETag } = await session.call({ doing, signal }, (abortSignal) => client.send(send, { abortSignal }))
		const complete = new CompleteMultipartUploadCommand({
			...target,
			...place.unlocking,
			UploadId,
			MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
			IfNoneMatch: '*',
		})
		await session.call({ doing, signal }, (abortSignal) => client.send(complete, { abortSignal }))
		UploadId = undefined
		return false
	} catch (error) {
		if (isBackupError(error, 'STORAGE_ALREADY_EXISTS')) return true
		throw error
	} finally {
		if (UploadId !== undefined) {
			const abort = new AbortMultipartUploadCommand({ ...target, UploadId })
			await session
				.call({ doing, signal: briefly() }, (abortSignal) => client.send(abort, { abortSignal }))
				.catch(() => undefined)
		}
		await discard(session, place, key)
	}
}
