import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { BackupError, interruption, throwIfInterrupted } from '@ydbackup/core'
import { crc32Text } from './digest.ts'
import { type S3Session, silence } from './session.ts'

export interface Reading {
	readonly key: string
	readonly doing: string
	readonly signal: AbortSignal | undefined
	/** Bytes that must come. */
	readonly length: number
	/** Base64 of the CRC-32 of all of them, where the store gives it. */
	readonly crc32: string | undefined
}

/** The bytes of an answer. Its connection is given back at the end, by an error, and by a reader that goes away, before the first byte too. */
export function readBytes(session: S3Session, stream: Readable, reading: Reading): AsyncIterable<Uint8Array> {
	const pieces = readPieces(session, stream, reading)
	// It may fail before anybody reads; whoever reads then hears of it.
	stream.on('error', () => undefined)
	const iterator: AsyncIterableIterator<Uint8Array> = {
		next: () => pieces.next(),
		async return() {
			// A generator that has not begun runs no `finally`.
			stream.destroy()
			return pieces.return(undefined)
		},
		[Symbol.asyncIterator]: () => iterator,
	}
	return iterator
}

async function* readPieces(
	session: S3Session,
	stream: Readable,
	reading: Reading,
): AsyncGenerator<Uint8Array, undefined> {
	const { key, doing, signal, length, crc32: expected } = reading
	const source = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
	let size = 0
	let sum = 0
	let stopped: BackupError | undefined
	const stop = (error: BackupError): void => {
		stopped ??= error
		stream.destroy(error)
	}
	const abort = (): void => stop(interruption(signal!, `trying to ${doing}`))
	// Only the store is timed: whoever reads may take long between two pieces. One timer for all of them: there are thousands.
	let isWaiting = false
	const timer = setTimeout(() => {
		if (isWaiting) stop(silence(doing, session.timeoutMs))
	}, session.timeoutMs)
	try {
		throwIfInterrupted(signal, `trying to ${doing}`)
		signal?.addEventListener('abort', abort, { once: true })
		for (;;) {
			isWaiting = true
			timer.refresh()
			const next = await source.next()
			isWaiting = false
			if (stopped) throw stopped
			if (next.done) break
			const { value } = next
			size += value.length
			if (size > length)
				throw new BackupError('STORAGE_INTEGRITY', `cannot ${doing}: more bytes came than the ${length} announced`)
			if (expected !== undefined) sum = crc32(value, sum)
			yield value
		}
		if (size < length)
			throw new BackupError('STORAGE_TRANSIENT', `cannot ${doing}: it ended ${length - size} bytes early`, {
				retry: 'same',
				advice: 'the connection was cut: try again',
			})
		if (expected !== undefined && crc32Text(sum) !== expected)
			throw new BackupError('STORAGE_INTEGRITY', `${key} does not have the checksum that the store gives with it`, {
				retry: 'same',
				reason: 'CRC32',
				advice: 'the bytes were changed on their way, or in the store: try again',
			})
	} catch (error) {
		throw stopped ?? (await session.failure(error, doing))
	} finally {
		clearTimeout(timer)
		signal?.removeEventListener('abort', abort)
		stream.destroy()
	}
}
