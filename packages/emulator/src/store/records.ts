import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { crc32 } from 'node:zlib'

/** Rises when files of this version cannot be read by the version before. */
export const FORMAT = 2
const MAGIC = `ydb-emulator ${FORMAT}\n`
const HEAD_BYTES = 16
const WINDOW = 4 << 20

/** What stands before a record's body. */
export interface Head {
	readonly method: string
	readonly user: string
}

/** A record: lengths of head and body, crc32 of both, crc32 of these twelve bytes, a JSON head, the body as it is. */
export function frame(head: Head, body: readonly Buffer[]): Buffer[] {
	const text = Buffer.from(JSON.stringify(head))
	const lengths = Buffer.allocUnsafe(HEAD_BYTES)
	lengths.writeUInt32LE(text.length, 0)
	lengths.writeUInt32LE(
		body.reduce((sum, { length }) => sum + length, 0),
		4,
	)
	lengths.writeUInt32LE(
		body.reduce((crc, piece) => crc32(piece, crc), crc32(text)),
		8,
	)
	lengths.writeUInt32LE(crc32(lengths.subarray(0, 12)), 12)
	return [lengths, text, ...body]
}

export function sizeOf(buffers: readonly Buffer[]): number {
	return buffers.reduce((sum, { length }) => sum + length, 0)
}

export async function writeAll(file: FileHandle, buffers: Buffer[]): Promise<void> {
	const { bytesWritten } = await file.writev(buffers)
	if (bytesWritten !== sizeOf(buffers)) throw new Error('the disk took only a part of a write')
}

/** A new file of records. */
export async function createFile(path: string): Promise<FileHandle> {
	const file = await open(path, 'wx', 0o600)
	await writeAll(file, [Buffer.from(MAGIC)])
	return file
}

export async function syncDirectory(path: string): Promise<void> {
	const file = await open(path, 'r')
	try {
		await file.sync()
	} finally {
		await file.close()
	}
}

/** Reads pieces of a file that follow each other, whatever its size. Undefined: the file ends before the piece does. */
export function windowed(file: FileHandle, size: number): (at: number, length: number) => Promise<Buffer | undefined> {
	let window: Buffer = Buffer.alloc(0)
	let start = 0
	return async (at, length) => {
		if (at + length > size) return undefined
		if (at < start || at + length > start + window.length) {
			window = Buffer.allocUnsafeSlow(Math.min(Math.max(WINDOW, length), size - at))
			start = at
			for (let filled = 0; filled < window.length;) {
				const { bytesRead } = await file.read(window, filled, window.length - filled, at + filled)
				if (bytesRead === 0) return undefined
				filled += bytesRead
			}
		}
		return window.subarray(at - start, at - start + length)
	}
}

export function damaged(path: string, what: string): Error {
	return new Error(
		`${path} is damaged: ${what}. Nothing was changed; use a copy of the directory that was made before, or another data directory`,
	)
}

export interface ReadFile {
	/** Where the last whole record ends. */
	readonly end: number
	readonly size: number
}

/**
 * Hands the records of a file to a function, in order. A last record that was begun and not finished is left out: `end` tells. Anything else that
 * is not as it was written is an error.
 */
export async function readRecords(path: string, each: (head: Head, body: Buffer) => Promise<void>): Promise<ReadFile> {
	const file = await open(path, 'r')
	try {
		const { size } = await file.stat()
		const read = windowed(file, size)
		const magic = (await read(0, Math.min(size, MAGIC.length)))?.toString('latin1') ?? ''
		if (magic !== MAGIC) {
			// A file whose first bytes were not written yet holds nothing.
			if (MAGIC.startsWith(magic)) return { end: 0, size }
			throw damaged(path, 'it does not begin as a file of this version')
		}
		let at = MAGIC.length
		for (;;) {
			const lengths = await read(at, HEAD_BYTES)
			if (!lengths) break
			const head = lengths.readUInt32LE(0)
			const end = at + HEAD_BYTES + head + lengths.readUInt32LE(4)
			const crc = lengths.readUInt32LE(8)
			if (lengths.readUInt32LE(12) !== crc32(lengths.subarray(0, 12))) {
				if (await zerosFrom(at, size, read)) break
				throw damaged(path, `the record at byte ${at} has no valid head`)
			}
			const content = await read(at + HEAD_BYTES, end - at - HEAD_BYTES)
			if (!content) break
			if (crc32(content) !== crc) {
				if (await zerosFrom(end, size, read)) break
				throw damaged(path, `the record at byte ${at} does not match its checksum, and others follow it`)
			}
			await each(JSON.parse(content.toString('utf8', 0, head)) as Head, content.subarray(head))
			at = end
		}
		return { end: at, size }
	} catch (error) {
		if (error instanceof SyntaxError) throw damaged(path, `${basename(path)} holds a head that is no JSON`)
		throw error
	} finally {
		await file.close()
	}
}

/** Whether nothing but zeros follows: what a file system may leave of a write that was under way. */
async function zerosFrom(
	from: number,
	size: number,
	read: (at: number, length: number) => Promise<Buffer | undefined>,
): Promise<boolean> {
	for (let at = from; at < size; at += WINDOW) {
		const piece = await read(at, Math.min(WINDOW, size - at))
		if (piece?.some((byte) => byte !== 0)) return false
	}
	return true
}
