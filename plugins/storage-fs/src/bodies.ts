import type { FileHandle } from 'node:fs/promises'
import { BackupError, type PutOptions, throwIfInterrupted } from '@ydbackup/core'
import { checked, releasing } from '@ydbackup/core/driver-kit'
import { storageError } from './failure.ts'

const READ_BYTES = 1 << 20

/** Writes and checks a body; throws before it could get its name. */
export async function writeBody(
	handle: FileHandle,
	pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
	key: string,
	options: PutOptions,
): Promise<void> {
	const write = createWriter(handle)
	for await (const bytes of checked(pieces, key, options)) await write(bytes)
	await write(undefined)
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
			if (bytes.length > 0) held.push(new Uint8Array(bytes))
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

export interface Reading {
	readonly offset: number
	readonly end: number
	/** For errors: `read KEY in …`. */
	readonly doing: string
	readonly signal: AbortSignal | undefined
}

/** The bytes of an open file, which is closed at the end, by an error, and by a reader that goes away, before the first byte too. */
export function readBytes(handle: FileHandle, reading: Reading): AsyncIterable<Uint8Array> {
	return releasing(readPieces(handle, reading), () => handle.close())
}

async function* readPieces(handle: FileHandle, { offset, end, doing, signal }: Reading): AsyncGenerator<Uint8Array> {
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
