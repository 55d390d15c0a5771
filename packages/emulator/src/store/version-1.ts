import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { type Head, windowed } from './records.ts'

const MAGIC = 'ydb-emulator 1\n'
const HEAD_BYTES = 12

/** Reads the one file of the first version, whose records have no checksum of their lengths. */
export async function readVersion1(path: string, each: (head: Head, body: Buffer) => Promise<void>): Promise<void> {
	const file = await open(path, 'r')
	try {
		const { size } = await file.stat()
		const read = windowed(file, size)
		if (size === 0) return
		if ((await read(0, MAGIC.length))?.toString('latin1') !== MAGIC)
			throw new Error(`${path} is not a journal of ydb-emulator; use another data directory`)
		for (let at = MAGIC.length; ;) {
			const lengths = await read(at, HEAD_BYTES)
			if (!lengths) return
			const head = lengths.readUInt32LE(0)
			const crc = lengths.readUInt32LE(8)
			const content = await read(at + HEAD_BYTES, head + lengths.readUInt32LE(4))
			// As that version did: what follows the last whole record was never acknowledged.
			if (!content || crc32(content) !== crc) return
			await each(JSON.parse(content.toString('utf8', 0, head)) as Head, content.subarray(head))
			at += HEAD_BYTES + content.length
		}
	} finally {
		await file.close()
	}
}
