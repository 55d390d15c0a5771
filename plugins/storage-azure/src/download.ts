import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { BackupError, type ByteRange, type GetOptions, type ObjectBody, type ObjectInfo } from '@ydbackup/core'
import { releasing } from '@ydbackup/core/driver-kit'
import { BLOCK_BYTES } from './blocks.ts'
import { blobOf, errorOf, request, type StoreContext } from './context.ts'
import { pauseAfter, silence, type Task, throwIfStopped } from './trying.ts'

/** An answer whose bytes are still to come. */
interface Opened {
	readonly stream: Readable
	readonly size: number
	readonly from: number
	readonly end: number
	readonly etag: string | undefined
	/** Of the whole object, where the service has it and it is cheap to check. */
	readonly md5: Uint8Array | undefined
	readonly modifiedAt: Date | undefined
	close(): void
}

interface Wanted {
	readonly range: ByteRange | undefined
	/** What the object must still be. */
	readonly etag?: string | undefined
}

/** Opens an object for reading. */
export async function download(context: StoreContext, key: string, { range, signal }: GetOptions): Promise<ObjectBody> {
	const task = { doing: `read ${key} in ${context.place.shown}`, signal }
	throwIfStopped(task)
	if (range && !isRange(range)) throw outside(task, range, undefined)
	if (range?.length === 0) return readNothing(context, key, range, task)
	const opened = await open(context, key, { range }, task)
	const { size, modifiedAt } = opened
	return {
		info: { key, size, modifiedAt },
		bytes: releasing(pieces(context, key, opened, task), () => opened.close()),
	}
}

function isRange({ offset, length = 0 }: ByteRange): boolean {
	return [offset, length, offset + length].every((value) => Number.isSafeInteger(value) && value >= 0)
}

function outside({ doing }: Task, { offset, length }: ByteRange, size: number | undefined): BackupError {
	const asked = length === undefined ? `from ${offset}` : `${offset} to ${offset + length}`
	return new BackupError(
		'STORAGE_PERMANENT',
		`cannot ${doing}: it has no bytes ${asked}${size === undefined ? '' : `, its size is ${size}`}`,
	)
}

/** The service knows no empty range. */
async function readNothing(context: StoreContext, key: string, range: ByteRange, task: Task): Promise<ObjectBody> {
	const found = await request(context, task, (abortSignal) => blobOf(context, key).getProperties({ abortSignal }))
	const size = found.contentLength ?? 0
	if (range.offset >= size) throw outside(task, range, size)
	const info: ObjectInfo = { key, size, modifiedAt: found.lastModified }
	return { info, bytes: (async function* (): AsyncGenerator<Uint8Array> {})() }
}

/** Sends the request until it is answered, and checks that the answer is the range that was asked for. */
async function open(context: StoreContext, key: string, { range, etag }: Wanted, task: Task): Promise<Opened> {
	const { offset = 0, length } = range ?? {}
	const { response, control } = await request(context, task, async (signal) => {
		// Beyond the answer the reader decides how long the bytes may take.
		const control = new AbortController()
		signal.addEventListener('abort', () => control.abort(), { once: true })
		const response = await blobOf(context, key).download(offset, length, {
			abortSignal: control.signal,
			maxRetryRequests: 0,
			...(etag && { conditions: { ifMatch: etag } }),
		})
		return { response, control }
	})
	const stream = response.readableStreamBody as Readable
	stream.on('error', () => undefined)
	const close = (): void => {
		control.abort()
		stream.destroy()
	}
	const given = spanOf(response.contentRange, response.contentLength)
	const end = length === undefined ? given?.size : offset + length
	if (given === undefined || end === undefined) {
		close()
		throw new BackupError('STORAGE_PERMANENT', `cannot ${task.doing}: the answer does not say which bytes it has`)
	}
	if (range && (offset >= given.size || end > given.size)) {
		close()
		throw outside(task, range, given.size)
	}
	if (given.from !== offset || given.end !== end) {
		close()
		throw new BackupError(
			'STORAGE_PERMANENT',
			`cannot ${task.doing}: bytes ${offset} to ${end} were asked for, and ${given.from} to ${given.end} came`,
			{ advice: 'something between here and the service ignores ranges: check the endpoint and the proxy' },
		)
	}
	return {
		stream,
		size: given.size,
		from: offset,
		end,
		etag: response.etag,
		md5: range === undefined && given.size <= BLOCK_BYTES ? response.contentMD5 : undefined,
		modifiedAt: response.lastModified,
		close,
	}
}

/** Which bytes an answer has, by its headers: `bytes 5-9/100`, or the whole object without that one. */
export function spanOf(
	contentRange: string | undefined,
	contentLength: number | undefined,
): { from: number; end: number; size: number } | undefined {
	if (contentRange === undefined)
		return contentLength === undefined ? undefined : { from: 0, end: contentLength, size: contentLength }
	const parts = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange)
	return parts ? { from: Number(parts[1]), end: Number(parts[2]) + 1, size: Number(parts[3]) } : undefined
}

/** Exactly the bytes of the range. A stream that breaks off is opened again where it broke, while the object is the same. */
async function* pieces(
	context: StoreContext,
	key: string,
	first: Opened,
	task: Task,
): AsyncGenerator<Uint8Array, undefined> {
	const { end, etag, md5: expected } = first
	const md5 = expected && createHash('md5')
	let at = first.from
	let opened: Opened | undefined = first
	let failures = 0
	let since = 0
	try {
		while (at < end) {
			try {
				opened ??= await open(context, key, { range: { offset: at, length: end - at }, etag }, task)
				for await (const piece of reading(opened.stream, context.place.timeoutMs, task)) {
					if (at + piece.length > end)
						throw new BackupError('STORAGE_INTEGRITY', `cannot ${task.doing}: more bytes came than were asked for`)
					at += piece.length
					failures = 0
					md5?.update(piece)
					yield piece
				}
				if (at < end) throw brokenOff(task)
			} catch (error) {
				opened?.close()
				opened = undefined
				if (failures === 0) since = performance.now()
				await pauseAfter(errorOf(context, error, task), ++failures, since, task)
			}
		}
	} finally {
		opened?.close()
	}
	if (md5 && !md5.digest().equals(expected!))
		throw new BackupError('STORAGE_INTEGRITY', `cannot ${task.doing}: the bytes do not have the MD5 of the object`, {
			advice: 'they changed on their way or in the store: read the object again',
		})
}

function brokenOff({ doing }: Task): BackupError {
	return new BackupError('STORAGE_TRANSIENT', `cannot ${doing}: the answer broke off`, { retry: 'later' })
}

/** Pieces of a stream; silence that is too long, and a stop, end it. A slow reader does not count as silence. */
async function* reading(stream: Readable, timeoutMs: number, task: Task): AsyncGenerator<Uint8Array> {
	const { signal } = task
	const onAbort = (): void => void stream.destroy(new Error('stopped'))
	let isSilent = false
	const iterator = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
	signal?.addEventListener('abort', onAbort, { once: true })
	try {
		for (;;) {
			throwIfStopped(task)
			const timer = setTimeout(() => {
				isSilent = true
				stream.destroy(new Error('silent'))
			}, timeoutMs)
			const next = await iterator.next().finally(() => clearTimeout(timer))
			if (next.done) return
			yield next.value
		}
	} catch (error) {
		throwIfStopped(task)
		if (isSilent) throw silence(task, timeoutMs)
		throw error
	} finally {
		signal?.removeEventListener('abort', onAbort)
		stream.destroy()
	}
}
