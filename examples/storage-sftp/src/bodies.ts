import { BackupError, type PutOptions, throwIfInterrupted } from '@ydbackup/core'
import { checked, orAborted, releasing } from '@ydbackup/core/driver-kit'
import { storageError } from './failure.ts'
import type { Files } from './files.ts'

/** Every server takes and gives that much in one request, and the client does not divide it. */
const PACKET_BYTES = 31 * 1024
/** Packets on the way at once: 2 MiB of one body. */
const PACKETS = 64
/** A reader that wants a little does not have the server read much. */
const FIRST_PACKETS = 8

/** Writes and checks a body; throws before it could get its name. */
export async function writeBody(
	files: Files,
	handle: Buffer,
	pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
	key: string,
	options: PutOptions,
): Promise<void> {
	const { signal } = options
	let packet = Buffer.allocUnsafe(PACKET_BYTES)
	const underWay: Promise<void>[] = []
	let filled = 0
	let position = 0
	const send = async (): Promise<void> => {
		const written = files.write(handle, packet.subarray(0, filled), position)
		written.catch(() => undefined)
		underWay.push(written)
		packet = Buffer.allocUnsafe(PACKET_BYTES)
		position += filled
		filled = 0
		if (underWay.length >= PACKETS) await orAborted(underWay.shift()!, signal, `writing ${key}`)
	}
	for await (const bytes of checked(pieces, key, options)) {
		for (let at = 0; at < bytes.length;) {
			const part = bytes.subarray(at, at + PACKET_BYTES - filled)
			packet.set(part, filled)
			filled += part.length
			at += part.length
			if (filled === PACKET_BYTES) await send()
		}
	}
	if (filled > 0) await send()
	await orAborted(Promise.all(underWay), signal, `writing ${key}`)
}

export interface Reading {
	readonly offset: number
	readonly end: number
	/** For errors: `read KEY in …`. */
	readonly doing: string
	readonly signal: AbortSignal | undefined
}

/** The bytes of an open file, which is closed at the end, by an error, and by a reader that goes away, before the first byte too. */
export function readBytes(files: Files, handle: Buffer, reading: Reading): AsyncIterable<Uint8Array> {
	return releasing(readPieces(files, handle, reading), () => leave(files, handle))
}

/** Has a handle closed that nobody needs any longer; nobody waits for it. */
export function leave(files: Files, handle: Buffer): void {
	void files.close(handle).catch(() => undefined)
}

async function* readPieces(
	files: Files,
	handle: Buffer,
	{ offset, end, doing, signal }: Reading,
): AsyncGenerator<Uint8Array> {
	const underWay: Promise<Buffer>[] = []
	let ahead = FIRST_PACKETS
	let at = offset
	try {
		for (;;) {
			throwIfInterrupted(signal, doing)
			for (; at < end && underWay.length < ahead; at += PACKET_BYTES) {
				const packet = readPacket(files, handle, { position: at, length: Math.min(PACKET_BYTES, end - at), doing })
				packet.catch(() => undefined)
				underWay.push(packet)
			}
			const next = underWay.shift()
			if (!next) return
			yield await orAborted(next, signal, doing)
			ahead = Math.min(ahead + 1, PACKETS)
		}
	} catch (error) {
		throw storageError(error, `cannot ${doing}`)
	} finally {
		leave(files, handle)
	}
}

/** A server may give less than it was asked for: the rest is asked for again. */
async function readPacket(
	files: Files,
	handle: Buffer,
	{ position, length, doing }: { position: number; length: number; doing: string },
): Promise<Buffer> {
	const into = Buffer.allocUnsafe(length)
	for (let have = 0; have < length;) {
		const came = await files.read(handle, into, have, position + have)
		if (came === 0)
			throw new BackupError('STORAGE_PERMANENT', `cannot ${doing}: the file became shorter while it was read`, {
				advice: 'something else writes to the directory of the repository; find out what',
			})
		have += came
	}
	return into
}
