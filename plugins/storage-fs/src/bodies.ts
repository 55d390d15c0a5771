import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { BackupError, interruption, type PutOptions, throwIfInterrupted } from '@ydbackup/core'
import { storageError } from './failure.ts'

const READ_BYTES = 1 << 20

/** Writes and checks a body; throws before it could get its name. */
export async function writeBody(
	handle: FileHandle,
	pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
	key: string,
	options: PutOptions,
): Promise<void> {
	const { size: declared = Infinity, sha256 } = options
	const hash = sha256 === undefined ? undefined : createHash('sha256')
	const write = createWriter(handle)
	let size = 0
	for await (const bytes of pieces) {
		size += bytes.length
		if (size > declared)
			throw new BackupError('STORAGE_INTEGRITY', `${key} was declared with ${declared} bytes and has more`)
		hash?.update(bytes)
		await write(bytes)
	}
	await write(undefined)
	if (options.size !== undefined && size !== declared)
		throw new BackupError('STORAGE_INTEGRITY', `${key} was declared with ${declared} bytes and has ${size}`)
	if (hash && hash.digest('hex') !== sha256)
		throw new BackupError('STORAGE_INTEGRITY', `${key} does not have the declared sha256`)
}

/** Pieces below this wait for the next one: a trip to the thread pool costs more than they do. */
const SMALL_BYTES = 16 << 10

/** Writes pieces in order; undefined says that there are no more. */
function createWriter(handle: FileHandle): (bytes: Uint8Array | undefined) => Promise<void> {
	const held: Uint8Array[] = []
	let heldBytes = 0
	return async (bytes) => {
		if (bytes !== undefined && heldBytes + bytes.length < SMALL_BYTES) {
			// The source may use its piece again.
			if (bytes.length > 0) held.push(Uint8Array.from(bytes))
			heldBytes += bytes.length
			return
		}
		const pieces = [...held, ...(bytes === undefined ? [] : [bytes])]
		held.length = 0
		heldBytes = 0
		while (pieces.length > 0) {
			let { bytesWritten } = await handle.writev(pieces)
			while (pieces[0] !== undefined && bytesWritten >= pieces[0].length) bytesWritten -= pieces.shift()!.length
			if (pieces[0] !== undefined) pieces[0] = pieces[0].subarray(bytesWritten)
		}
	}
}

/** A stream that is left at once when the signal aborts, even while its source is silent. */
export async function* untilAborted<T>(
	stream: AsyncIterable<T>,
	signal: AbortSignal | undefined,
	doing: string,
): AsyncGenerator<T> {
	if (!signal) return yield* stream
	const iterator = stream[Symbol.asyncIterator]()
	let isOver = false
	try {
		for (;;) {
			throwIfInterrupted(signal, doing)
			const next = await nextOrAbort(iterator, signal, doing)
			isOver = next.done === true
			if (next.done) return
			yield next.value
		}
	} finally {
		// A silent source may answer to its return as late as to its next: nobody waits for it.
		if (!isOver) void iterator.return?.().catch(() => undefined)
	}
}

/** One promise for each item: a race against one that lives longer would keep every item in memory. */
function nextOrAbort<T>(iterator: AsyncIterator<T>, signal: AbortSignal, doing: string): Promise<IteratorResult<T>> {
	return new Promise((resolve, reject) => {
		const abort = (): void => reject(interruption(signal, doing))
		signal.addEventListener('abort', abort, { once: true })
		void iterator
			.next()
			.then(resolve, reject)
			.finally(() => signal.removeEventListener('abort', abort))
	})
}

export interface Reading {
	readonly offset: number
	readonly end: number
	/** For errors: `read KEY in …`. */
	readonly doing: string
	readonly signal: AbortSignal | undefined
}

/** The bytes of an open file, which is closed at the end, by an error, and by a reader that goes away, before the first byte too. */
export function readBytes(handle: FileHandle, reading: Reading): AsyncIterable<Uint8Array> {
	const pieces = readPieces(handle, reading)
	let hasBegun = false
	const iterator: AsyncIterableIterator<Uint8Array> = {
		next() {
			hasBegun = true
			return pieces.next()
		},
		async return() {
			// A generator that has not begun runs no `finally`.
			if (!hasBegun) await handle.close()
			hasBegun = true
			return pieces.return(undefined)
		},
		[Symbol.asyncIterator]: () => iterator,
	}
	return iterator
}

async function* readPieces(
	handle: FileHandle,
	{ offset, end, doing, signal }: Reading,
): AsyncGenerator<Uint8Array, undefined> {
	try {
		for (let at = offset; at < end;) {
			throwIfInterrupted(signal, doing)
			const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at))
			const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
			if (bytesRead === 0)
				throw new BackupError('STORAGE_PERMANENT', `cannot ${doing}: the file became shorter while it was read`, {
					advice: 'something else writes to the directory of the repository; find out what',
				})
			at += bytesRead
			yield buffer.subarray(0, bytesRead)
		}
	} catch (error) {
		throw storageError(error, `cannot ${doing}`)
	} finally {
		await handle.close()
	}
}
