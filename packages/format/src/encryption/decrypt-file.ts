import { BackupError } from '@ydbackup/core'

import { ByteSource } from '../compression/byte-source.ts'
import { CIPHERS, type EncryptionAlgorithm } from './algorithm.ts'
import { MAC_BYTES, openDecipher } from './cipher.ts'
import { type FileHeader, MAX_HEADER_BYTES, readFileHeader } from './file-header.ts'
import { blockNonce } from './iv.ts'
import type { EncryptionKey } from './key.ts'

export interface DecryptFileOptions {
	readonly key: EncryptionKey
	/** What the file's IV must be: another one means another file. Undefined for the one file that the others are derived from. */
	readonly iv: Uint8Array | undefined
	/** Undefined to take what the file says. */
	readonly algorithm?: EncryptionAlgorithm | undefined
	/** For errors. */
	readonly name: string
	/** Blocks above this are refused before memory is taken. Default 64 MiB. */
	readonly maxBlockBytes?: number | undefined
	/** Called when the header is known to be authentic. */
	readonly onHeader?: ((header: FileHeader) => void) | undefined
}

const MAX_BLOCK = 64 << 20

/**
 * The plain bytes of an encrypted file. A byte is handed out only when its block is known to be authentic, and it ends without an error
 * only after the block that says that the file is over. Holds one block at most.
 *
 * Errors: `FORMAT_INVALID` with `reason`: `header` (it is none, or was changed, or the key is another one), `swapped` (it is another
 * file's), `block` (a block was changed, moved or left out), `cut-off`, `trailing` (something follows the end). `KEY_WRONG` when the
 * key cannot be this file's. Errors of `stream` come through as they are.
 */
export async function* decryptFile(
	stream: AsyncIterable<Uint8Array>,
	options: DecryptFileOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
	const { key, name } = options
	const source = new ByteSource(stream)

	async function take(count: number): Promise<Buffer> {
		const pieces: Uint8Array[] = []
		for await (const piece of upTo(count)) pieces.push(piece)
		return Buffer.concat(pieces)
	}

	async function* upTo(count: number): AsyncGenerator<Uint8Array, void, undefined> {
		for (let left = count; left > 0;) {
			const piece = (await source.peek()).subarray(0, left)
			if (piece.length === 0) throw broken(name, 'cut-off', `it is cut off at byte ${source.offset}`)
			source.take(piece.length)
			left -= piece.length
			yield piece
		}
	}

	try {
		const size = await take(2)
		const length = size.readUInt16BE(0)
		if (length > MAX_HEADER_BYTES) throw broken(name, 'header', `it has a header of ${length} bytes`)
		const body = await take(length)
		const header = readFileHeader(body)
		if (typeof header === 'string') throw broken(name, 'header', header)
		checkHeader(header, options)
		let last: Buffer = await take(MAC_BYTES)
		const first = openDecipher(header.algorithm, key, blockNonce(header.iv, 0))
		first.setAAD(Buffer.concat([size, body]), { plaintextLength: 0 })
		if (!isAuthentic(first, last)) {
			throw broken(name, 'header', 'its header was changed, or was written with another key')
		}
		options.onHeader?.(header)

		for (let number = 1; ; number += 1) {
			const at = source.offset
			const length = await take(4)
			const left = length.readUInt32BE(0)
			const max = options.maxBlockBytes ?? MAX_BLOCK
			if (left > max) throw broken(name, 'block', `its block at byte ${at} says that it has ${left} bytes`)
			const decipher = openDecipher(header.algorithm, key, blockNonce(header.iv, number))
			decipher.setAAD(Buffer.concat([last, length]), { plaintextLength: left })
			const plain: Uint8Array[] = []
			for await (const piece of upTo(left)) plain.push(decipher.update(piece))
			last = await take(MAC_BYTES)
			if (!isAuthentic(decipher, last)) {
				throw broken(name, 'block', `its block at byte ${at} was changed, or is not the one that belongs there`)
			}
			if (left === 0) break
			yield* plain
		}
		if ((await source.peek()).length > 0)
			throw broken(name, 'trailing', `something follows its end at byte ${source.offset}`)
	} finally {
		await source.close()
	}
}

/** A small file in one piece. Errors: as {@link decryptFile}. */
export async function decryptWhole(bytes: Uint8Array, options: DecryptFileOptions): Promise<Uint8Array> {
	async function* once(): AsyncGenerator<Uint8Array> {
		yield bytes
	}
	const pieces: Uint8Array[] = []
	for await (const piece of decryptFile(once(), options)) pieces.push(piece)
	return Buffer.concat(pieces)
}

function checkHeader(header: FileHeader, { key, iv, algorithm, name }: DecryptFileOptions): void {
	if (algorithm !== undefined && header.algorithm !== algorithm) {
		throw broken(name, 'swapped', `it is encrypted with ${header.algorithm}, and the others are with ${algorithm}`)
	}
	if (iv !== undefined && !Buffer.from(iv).equals(header.iv)) {
		throw broken(name, 'swapped', 'it is another file: its header has the IV of another place')
	}
	const { keyBytes } = CIPHERS[header.algorithm]
	if (key.size === keyBytes) return
	throw new BackupError(
		'KEY_WRONG',
		`${name} is encrypted with ${header.algorithm}, and the key has ${key.size} bytes instead of ${keyBytes}`,
		{
			advice: 'give the key that it was written with',
		},
	)
}

function isAuthentic(decipher: ReturnType<typeof openDecipher>, mac: Uint8Array): boolean {
	try {
		decipher.setAuthTag(mac)
		decipher.final()
		return true
	} catch {
		return false
	}
}

export type DecryptReason = 'header' | 'swapped' | 'block' | 'cut-off' | 'trailing'

function broken(name: string, reason: DecryptReason, what: string): BackupError {
	return new BackupError('FORMAT_INVALID', `${name} does not decrypt: ${what}`, {
		reason,
		advice: 'the file is damaged or was tampered with; take the backup from another copy',
	})
}
