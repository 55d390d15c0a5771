import { randomUUID } from 'node:crypto'
import {
	AbortMultipartUploadCommand,
	type CompletedPart,
	CompleteMultipartUploadCommand,
	CreateMultipartUploadCommand,
	HeadObjectCommand,
	PutObjectCommand,
	UploadPartCommand,
} from '@aws-sdk/client-s3'
import { BackupError, interruption, isBackupError, type PutBody, type PutOptions } from '@ydbackup/core'
import { checked, untilAborted } from '@ydbackup/core/driver-kit'
import { Buffers, cut, type Part, Slots } from './bodies.ts'
import { type Guard, guarding } from './digest.ts'
import type { Place } from './place.ts'
import { briefly, type S3Session } from './session.ts'
import { putWhole } from './whole.ts'

export const MAX_PARTS = 10_000
/** Bytes in memory are sent as one object up to here. */
const ONE_REQUEST_BYTES = 64 * 2 ** 20
/** Parts of one object, and of all objects, that are under way at a time: what bounds the memory. */
const PARALLEL = 4
const PARALLEL_IN_ALL = 12
const MARK = 'ydbackup-put'

/** One put: what all of its requests share. */
export interface Writing {
	readonly key: string
	readonly doing: string
	readonly options: PutOptions
	/** Metadata by which the object is known to be of this put, when an answer was lost. */
	readonly mark: string
	/** Parameters of the request that creates the object. */
	readonly creating: Readonly<Record<string, unknown>>
}

/** Puts objects: in one request where the body fits a part, else in parts. */
export class Writer {
	readonly #session: S3Session
	readonly #place: Place
	readonly #guard: Guard
	readonly #isCompleteConditional: boolean
	readonly #buffers: Buffers
	readonly #slots = new Slots(PARALLEL_IN_ALL)

	constructor(session: S3Session, place: Place, guard: Guard, isCompleteConditional: boolean) {
		this.#session = session
		this.#place = place
		this.#guard = guard
		this.#isCompleteConditional = isCompleteConditional
		this.#buffers = new Buffers(place.settings.partBytes)
	}

	/** Writes an object. Returns its size. What the body throws is thrown as it is. */
	async put(key: string, body: PutBody, options: PutOptions): Promise<number> {
		const mark = randomUUID()
		const creating = {
			...this.#place.creating,
			...this.#place.holding(options.retainUntil),
			Metadata: { [MARK]: mark },
		}
		const doing = `write ${key} in ${this.#place.location}`
		const writing: Writing = { key, doing, options, mark, creating }
		if (body instanceof Uint8Array) return this.#putBytes(writing, body)
		const source = untilAborted(body(), options.signal, `trying to ${doing}`)
		const parts = cut(checked(source, key, options), this.#buffers)
		try {
			const first = await parts.next()
			if (first.done) throw new BackupError('INTERNAL', `${key} was cut into no part`)
			if (first.value.isLast) {
				const { bytes } = first.value
				await this.#putOnce(writing, bytes)
				this.#buffers.release(bytes)
				return bytes.length
			}
			if (options.ifAbsent && !this.#isCompleteConditional) {
				// Read again from its beginning: the store can decide about a whole object only.
				await parts.return(undefined)
				return await putWhole(this.#session, this.#place, writing, body, (error) => this.#settle(writing, error))
			}
			return await this.#putParts(writing, first.value, parts)
		} finally {
			await parts.return(undefined)
		}
	}

	async #putBytes(writing: Writing, body: Uint8Array): Promise<number> {
		const { key, options } = writing
		for await (const _ of checked([body], key, options)) continue
		const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
		if (bytes.length <= ONE_REQUEST_BYTES || (options.ifAbsent && !this.#isCompleteConditional)) {
			await this.#putOnce(writing, bytes)
			return bytes.length
		}
		const { partBytes } = this.#place.settings
		const [first, ...others] = Array.from({ length: Math.ceil(bytes.length / partBytes) }, (_, index): Part => {
			const end = (index + 1) * partBytes
			return { bytes: bytes.subarray(index * partBytes, end), isLast: end >= bytes.length }
		})
		return this.#putParts(writing, first!, others)
	}

	async #putOnce(writing: Writing, bytes: Buffer): Promise<void> {
		const { key, doing, options, creating } = writing
		const { client } = this.#session
		// A held object has to come with a checksum.
		const guard = this.#guard === 'signature' && 'ObjectLockMode' in creating ? 'md5' : this.#guard
		const parameters = {
			...this.#place.at(key),
			...creating,
			...guarding(guard, bytes),
			Body: bytes,
			...(options.ifAbsent && { IfNoneMatch: '*' }),
		}
		try {
			await this.#session.call({ doing, signal: options.signal, bytes: bytes.length }, (abortSignal) =>
				client.send(new PutObjectCommand(parameters), { abortSignal }),
			)
		} catch (error) {
			await this.#settle(writing, error)
		}
	}

	/** Throws the error, unless the object that is there is the one of this put: an attempt whose answer was lost has written it. */
	async #settle({ key, doing, mark }: Writing, error: unknown): Promise<void> {
		const mayBeOurs = isBackupError(error, 'STORAGE_ALREADY_EXISTS') || isBackupError(error, 'STORAGE_TRANSIENT')
		if (!mayBeOurs || (error as BackupError).reason === 'TimeoutError') throw error
		const head = new HeadObjectCommand({ ...this.#place.at(key), ...this.#place.unlocking })
		const found = await this.#session
			.call({ doing, signal: briefly() }, (abortSignal) => this.#session.client.send(head, { abortSignal }))
			.catch(() => undefined)
		if (found?.Metadata?.[MARK] !== mark) throw error
	}

	async #putParts(writing: Writing, first: Part, others: AsyncIterable<Part> | Iterable<Part>): Promise<number> {
		const { key, doing, creating, options } = writing
		const { client } = this.#session
		const target = this.#place.at(key)
		const create = new CreateMultipartUploadCommand({
			...target,
			...creating,
			...(this.#guard === 'crc32' && { ChecksumAlgorithm: 'CRC32' as const }),
		})
		const { UploadId } = await this.#session.call({ doing, signal: options.signal }, (abortSignal) =>
			client.send(create, { abortSignal }),
		)
		const upload = { ...target, UploadId }
		let isCompleting = false
		try {
			const { parts, size } = await this.#sendParts(writing, upload, first, others)
			const complete = new CompleteMultipartUploadCommand({
				...upload,
				...this.#place.unlocking,
				MultipartUpload: { Parts: parts },
				...(options.ifAbsent && { IfNoneMatch: '*' }),
			})
			isCompleting = true
			await this.#session.call({ doing, signal: options.signal }, (abortSignal) =>
				client.send(complete, { abortSignal }),
			)
			return size
		} catch (error) {
			const isGone = await this.#abort(upload, doing)
			// The upload ended, though nobody heard of it: then the object is there, or somebody else has removed the parts.
			if (!isCompleting || !isGone || !isBackupError(error)) throw error
			if (error.code === 'INTERRUPTED') throw error
			await this.#settle(writing, error)
			const head = new HeadObjectCommand({ ...target, ...this.#place.unlocking })
			const { ContentLength = 0 } = await this.#session.call({ doing, signal: options.signal }, (abortSignal) =>
				client.send(head, { abortSignal }),
			)
			return ContentLength
		}
	}

	/** Removes the parts, whether or not the put was aborted. Returns whether the upload was not there any more. */
	async #abort(upload: { Bucket: string; Key: string; UploadId: string | undefined }, doing: string): Promise<boolean> {
		try {
			await this.#session.call({ doing, signal: briefly() }, (abortSignal) =>
				this.#session.client.send(new AbortMultipartUploadCommand(upload), { abortSignal }),
			)
			return false
		} catch (error) {
			return isBackupError(error) && error.reason === 'NoSuchUpload'
		}
	}

	async #sendParts(
		writing: Writing,
		upload: { Bucket: string; Key: string; UploadId: string | undefined },
		first: Part,
		others: AsyncIterable<Part> | Iterable<Part>,
	): Promise<{ parts: CompletedPart[]; size: number }> {
		const { key, doing, options } = writing
		const stop = new AbortController()
		const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
		const sent: CompletedPart[] = []
		const running = new Set<Promise<void>>()
		let failure: { readonly error: unknown } | undefined
		let size = 0
		const send = async (PartNumber: number, bytes: Buffer): Promise<void> => {
			const guard = guarding(this.#guard, bytes)
			const command = new UploadPartCommand({ ...upload, ...this.#place.unlocking, ...guard, PartNumber, Body: bytes })
			const { ETag } = await this.#session.call({ doing, signal, bytes: bytes.length }, (abortSignal) =>
				this.#session.client.send(command, { abortSignal }),
			)
			this.#buffers.release(bytes)
			const { ChecksumCRC32 } = guard
			sent[PartNumber - 1] = { PartNumber, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) }
		}
		const start = async ({ bytes }: Part, number: number): Promise<void> => {
			if (number > MAX_PARTS)
				throw new BackupError(
					'STORAGE_QUOTA',
					`${key} has more than ${MAX_PARTS} parts of ${this.#buffers.size} bytes`,
					{
						advice: 'give larger parts with ?partMiB=',
					},
				)
			size += bytes.length
			await this.#slots.acquire(signal)
			const job: Promise<void> = send(number, bytes)
				.catch((error: unknown) => {
					failure ??= { error }
					stop.abort()
				})
				.finally(() => {
					this.#slots.release()
					running.delete(job)
				})
			running.add(job)
			if (running.size >= PARALLEL) await Promise.race(running)
		}
		try {
			let number = 1
			await start(first, number++)
			for await (const part of others) {
				if (failure) break
				await start(part, number++)
			}
		} catch (error) {
			failure ??= { error }
			stop.abort()
		}
		await Promise.all(running)
		if (options.signal?.aborted) throw interruption(options.signal, `trying to ${doing}`)
		if (failure) throw failure.error
		return { parts: sent, size }
	}
}
