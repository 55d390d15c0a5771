import type { Readable } from 'node:stream'
import {
	AbortMultipartUploadCommand,
	DeleteObjectCommand,
	GetObjectCommand,
	HeadObjectCommand,
	type HeadObjectCommandOutput,
	PutObjectRetentionCommand,
} from '@aws-sdk/client-s3'
import {
	assertKey,
	BackupError,
	type ByteRange,
	type CallOptions,
	type Capabilities,
	type GetOptions,
	isBackupError,
	isKeyPrefix,
	type ListOptions,
	type ObjectBody,
	type ObjectInfo,
	type PutBody,
	type PutOptions,
	type ServerSideTarget,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { setHeader } from './headers.ts'
import { listObjects, listUploads } from './listing.ts'
import type { Place } from './place.ts'
import { reach } from './probe.ts'
import { readBytes } from './reading.ts'
import { targetOf } from './server-side.ts'
import type { S3Session } from './session.ts'
import type { Writer } from './writing.ts'

/** A prefix of a bucket as a store: one object of S3 per object. */
export class S3Storage implements Storage {
	readonly location: string
	readonly capabilities: Capabilities
	readonly extendRetention?: (key: string, until: Date, options?: CallOptions) => Promise<void>
	readonly #session: S3Session
	readonly #place: Place
	readonly #writer: Writer
	readonly #canHold: boolean

	constructor(session: S3Session, place: Place, writer: Writer, capabilities: Capabilities) {
		this.#session = session
		this.#place = place
		this.#writer = writer
		this.location = place.location
		this.capabilities = capabilities
		this.#canHold = capabilities.retention === true
		if (this.#canHold) this.extendRetention = (key, until, options) => this.#hold(key, until, options)
	}

	async put(key: string, body: PutBody, options: PutOptions = {}): Promise<ObjectInfo> {
		assertKey(key)
		const { conditionalCreate, retention } = this.capabilities
		throwIfInterrupted(options.signal, `writing ${key}`)
		if (options.ifAbsent && conditionalCreate !== true) throw unsupported(`create ${key}`, conditionalCreate.lacking)
		if (options.retainUntil && retention !== true) throw unsupported(`hold ${key}`, retention.lacking)
		// In a bucket with versions, a write would cover a held object without a word.
		if (this.#canHold && !options.ifAbsent) await this.#assertNotHeld(key, `overwrite ${key}`, options.signal)
		return { key, size: await this.#writer.put(key, body, options) }
	}

	async get(key: string, { range, signal }: GetOptions = {}): Promise<ObjectBody> {
		assertKey(key)
		const doing = `read ${key} in ${this.location}`
		if (range) assertRange(key, range)
		if (range?.length === 0) return this.#nothing(key, range, signal)
		const last = range?.length === undefined ? '' : range.offset + range.length - 1
		const command = new GetObjectCommand({
			...this.#place.at(key),
			...this.#place.unlocking,
			...(range && { Range: `bytes=${range.offset}-${last}` }),
		})
		// The SDK would check it by itself, in JavaScript, and say so in an error of its own.
		setHeader(command, 'x-amz-checksum-mode', 'ENABLED')
		const answer = await this.#session.call({ doing, signal }, (abortSignal) =>
			this.#session.client.send(command, { abortSignal }),
		)
		const stream = answer.Body as unknown as Readable
		try {
			const { size, length } = extentOf(key, range, answer.ContentLength, answer.ContentRange)
			const isWhole = !range && answer.ChecksumType !== 'COMPOSITE' && !answer.ChecksumCRC32?.includes('-')
			return {
				info: { key, size, modifiedAt: answer.LastModified },
				bytes: readBytes(this.#session, stream, {
					key,
					doing,
					signal,
					length,
					crc32: isWhole ? answer.ChecksumCRC32 : undefined,
				}),
			}
		} catch (error) {
			stream.on('error', () => undefined)
			stream.destroy()
			throw error
		}
	}

	/** An empty range: of an object that is there, and within it. */
	async #nothing(key: string, range: ByteRange, signal: AbortSignal | undefined): Promise<ObjectBody> {
		const info = await this.stat(key, { signal })
		if (!info)
			throw new BackupError('STORAGE_NOT_FOUND', `cannot read ${key} in ${this.location}: there is no such object`)
		if (range.offset >= info.size) throw beyond(key, range, info.size)
		return { info, bytes: none() }
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
		assertKey(key)
		const found = await this.#head(key, `look for ${key} in ${this.location}`, signal)
		if (!found) return undefined
		if (found.ContentLength === undefined)
			throw new BackupError('STORAGE_PERMANENT', `cannot look for ${key} in ${this.location}: it has no size`)
		return { key, size: found.ContentLength, modifiedAt: found.LastModified }
	}

	async #head(
		key: string,
		doing: string,
		signal: AbortSignal | undefined,
	): Promise<HeadObjectCommandOutput | undefined> {
		const command = new HeadObjectCommand({ ...this.#place.at(key), ...this.#place.unlocking })
		try {
			return await this.#session.call({ doing, signal }, (abortSignal) =>
				this.#session.client.send(command, { abortSignal }),
			)
		} catch (error) {
			if (isBackupError(error, 'STORAGE_NOT_FOUND')) return undefined
			// An answer to HEAD has no body that could say why; that of a listing has.
			if (isBackupError(error) && error.reason === undefined && error.retry === 'no')
				await reach(this.#session, this.#place, doing, signal)
			throw error
		}
	}

	list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
		if (!isKeyPrefix(prefix))
			throw new BackupError(
				'STORAGE_PERMANENT',
				`${JSON.stringify(prefix.slice(0, 600))} is not the beginning of a key`,
				{
					advice: 'keys consist of letters, digits and ._=- in segments divided by /, without . and .. segments',
				},
			)
		return listObjects(this.#session, this.#place, prefix, options)
	}

	async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key)
		const doing = `delete ${key} in ${this.location}`
		// In a bucket with versions, deleting a held object would hide it and succeed.
		if (this.#canHold) await this.#assertNotHeld(key, doing, signal)
		const command = new DeleteObjectCommand(this.#place.at(key))
		await this.#session
			.call({ doing, signal }, (abortSignal) => this.#session.client.send(command, { abortSignal }))
			.catch((error: unknown) => {
				if (!isBackupError(error, 'STORAGE_NOT_FOUND')) throw error
			})
	}

	async #assertNotHeld(key: string, doing: string, signal: AbortSignal | undefined): Promise<void> {
		const found = await this.#head(key, doing, signal).catch((error: unknown) => {
			// Credentials that may only write: the old version stays held in any case.
			if (isBackupError(error, 'STORAGE_PERMISSION')) return undefined
			throw error
		})
		const until = found?.ObjectLockRetainUntilDate
		const isHeld = until !== undefined && until > new Date()
		if (isHeld || found?.ObjectLockLegalHoldStatus === 'ON')
			throw new BackupError(
				'STORAGE_PERMISSION',
				`cannot ${doing}: it is held ${isHeld ? `until ${until.toISOString()}` : 'by a legal hold'}`,
				{ reason: 'ObjectLocked', advice: 'wait for that date: nothing deletes a held object before' },
			)
	}

	async #hold(key: string, until: Date, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key)
		const doing = `hold ${key} in ${this.location}`
		const found = await this.#head(key, doing, signal)
		if (!found) throw new BackupError('STORAGE_NOT_FOUND', `cannot ${doing}: there is no such object`)
		const { ObjectLockRetainUntilDate: held, ObjectLockMode: mode } = found
		if (held && held >= until) return
		const command = new PutObjectRetentionCommand({
			...this.#place.at(key),
			ChecksumAlgorithm: 'CRC32',
			Retention: { Mode: mode ?? this.#place.settings.objectLockMode ?? 'GOVERNANCE', RetainUntilDate: until },
		})
		await this.#session.call({ doing, signal }, (abortSignal) => this.#session.client.send(command, { abortSignal }))
	}

	async abortStaleUploads(olderThan: Date, { signal }: CallOptions = {}): Promise<number> {
		let removed = 0
		for await (const { Key, UploadId, Initiated } of listUploads(this.#session, this.#place, signal)) {
			throwIfInterrupted(signal, 'removing unfinished uploads')
			if (!Initiated || Initiated >= olderThan) continue
			const command = new AbortMultipartUploadCommand({ Bucket: this.#place.bucket, Key, UploadId })
			await this.#session
				.call({ doing: `remove an unfinished upload in ${this.location}`, signal }, (abortSignal) =>
					this.#session.client.send(command, { abortSignal }),
				)
				.then(
					() => removed++,
					(error: unknown) => {
						if (!isBackupError(error) || error.reason !== 'NoSuchUpload') throw error
					},
				)
		}
		return removed
	}

	serverSideTarget(prefix: string): ServerSideTarget {
		return targetOf(this.#session, this.#place, prefix)
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#session[Symbol.asyncDispose]()
	}
}

async function* none(): AsyncGenerator<Uint8Array> {}

function unsupported(doing: string, why: string): BackupError {
	return new BackupError('STORAGE_UNSUPPORTED', `cannot ${doing}: ${why}`, { advice: 'use a store that can' })
}

function assertRange(key: string, { offset, length = 0 }: ByteRange): void {
	if ([offset, length, offset + length].every((value) => Number.isSafeInteger(value) && value >= 0)) return
	throw new BackupError('STORAGE_PERMANENT', `${key} has no bytes from ${offset} on, ${length} in number`)
}

function beyond(key: string, { offset, length }: ByteRange, size: number): BackupError {
	const end = length === undefined ? 'the end' : offset + length
	return new BackupError('STORAGE_PERMANENT', `${key} has no bytes ${offset} to ${end}: it has ${size}`)
}

/** Size of the object, and how many bytes of it come. Throws when they are not those that were asked for. */
function extentOf(
	key: string,
	range: ByteRange | undefined,
	contentLength: number | undefined,
	contentRange: string | undefined,
): { size: number; length: number } {
	if (!range) {
		if (contentLength === undefined)
			throw new BackupError('STORAGE_PERMANENT', `cannot read ${key}: the store does not say how long it is`, {
				advice: 'something between here and the store changes its answers: a proxy that compresses, for example',
			})
		return { size: contentLength, length: contentLength }
	}
	const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '') ?? []
	if (total === undefined)
		throw new BackupError('STORAGE_PERMANENT', `cannot read a part of ${key}: the store sends all of it`, {
			advice: 'the store, or a proxy before it, ignores the Range header',
		})
	const size = Number(total)
	const end = range.length === undefined ? size : range.offset + range.length
	if (Number(last) + 1 < end && Number(last) + 1 === size) throw beyond(key, range, size)
	if (Number(first) !== range.offset || Number(last) + 1 !== end)
		throw new BackupError('STORAGE_INTEGRITY', `${key} came with the range ${first} to ${last}, which nobody asked for`)
	return { size, length: end - range.offset }
}
