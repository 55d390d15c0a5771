import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { BackupError, type PutBody, type PutOptions } from '@ydbackup/core'
import { checked, untilAborted } from '@ydbackup/core/driver-kit'
import { setHeader } from './headers.ts'
import type { Place } from './place.ts'
import type { S3Session } from './session.ts'
import type { Writing } from './writing.ts'

/** The largest object that one request can create. */
export const MAX_WHOLE_BYTES: number = 5 * 2 ** 30

/**
 * Puts a large create-only object as one streamed request, on stores that decide about If-None-Match only there. Memory holds a
 * piece at a time. The request is signed with size and hash: where they are not declared, the body is read once for them.
 */
export async function putWhole(
	session: S3Session,
	place: Place,
	writing: Writing,
	body: Exclude<PutBody, Uint8Array>,
	settle: (error: unknown) => Promise<void>,
): Promise<number> {
	const { key, doing, options, creating } = writing
	const { signal } = options
	const { size: declared, sha256: hash } = options
	const isKnown = declared !== undefined && hash !== undefined && !('ObjectLockMode' in creating)
	const { size, sha256, md5 }: Measures = isKnown
		? { size: declared, sha256: hash }
		: await measured(body, key, options, `trying to ${doing}`)
	if (size > MAX_WHOLE_BYTES)
		throw new BackupError(
			'STORAGE_QUOTA',
			`${key} has ${size} bytes, and a create-only object at most ${MAX_WHOLE_BYTES}`,
			{
				advice: 'this store ignores If-None-Match at the end of a multipart upload: write smaller objects',
			},
		)
	const attempt = async (abortSignal: AbortSignal, touch: () => void): Promise<void> => {
		const stop = new AbortController()
		let failure: { readonly error: unknown } | undefined
		const source = untilAborted(body(), AbortSignal.any([abortSignal, stop.signal]), `trying to ${doing}`)
		async function* pieces(): AsyncGenerator<Uint8Array> {
			try {
				for await (const bytes of checked(source, key, { size, sha256 })) {
					touch()
					// The request reads ahead, and the caller may use its own again.
					yield Uint8Array.from(bytes)
				}
			} catch (error) {
				failure = { error }
				stop.abort()
			}
		}
		const stream = Readable.from(pieces(), { objectMode: true, highWaterMark: 1 })
		const command = new PutObjectCommand({
			...place.at(key),
			...creating,
			Body: stream,
			ContentLength: size,
			...(md5 !== undefined && { ContentMD5: md5 }),
			IfNoneMatch: '*',
		})
		setHeader(command, 'x-amz-content-sha256', sha256)
		try {
			await session.client.send(command, { abortSignal: AbortSignal.any([abortSignal, stop.signal]) })
		} catch (error) {
			if (failure && !abortSignal.aborted) throw new BodyFailure(failure.error)
			throw error
		} finally {
			stop.abort()
			stream.destroy()
		}
	}
	try {
		let thrown: BodyFailure | undefined
		await session.call({ doing, signal, bytes: size }, (abortSignal, touch) =>
			attempt(abortSignal, touch).catch((error: unknown) => {
				// What a body throws is no answer of the store: it is neither tried again nor given another name.
				if (!(error instanceof BodyFailure)) throw error
				thrown = error
			}),
		)
		if (thrown) throw thrown
	} catch (error) {
		if (error instanceof BodyFailure) throw error.error
		await settle(error)
	}
	return size
}

class BodyFailure extends Error {
	readonly error: unknown

	constructor(error: unknown) {
		super('the body threw')
		this.error = error
	}
}

interface Measures {
	readonly size: number
	/** Hex. */
	readonly sha256: string
	/** Base64; objects that are held are refused without it. */
	readonly md5?: string
}

/** Size and hashes of a body, for which it is read to its end. */
async function measured(
	body: Exclude<PutBody, Uint8Array>,
	key: string,
	options: PutOptions,
	doing: string,
): Promise<Measures> {
	const sha256 = createHash('sha256')
	const md5 = createHash('md5')
	let size = 0
	for await (const bytes of checked(untilAborted(body(), options.signal, doing), key, options)) {
		sha256.update(bytes)
		md5.update(bytes)
		size += bytes.length
	}
	return { size, sha256: sha256.digest('hex'), md5: md5.digest('base64') }
}
