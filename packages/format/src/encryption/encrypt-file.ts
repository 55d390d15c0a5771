import { BackupError } from '@ydbackup/core'

import type { EncryptionAlgorithm } from './algorithm.ts'
import { MAC_BYTES, openCipher } from './cipher.ts'
import { encodeFileHeader } from './file-header.ts'
import { blockNonce } from './iv.ts'
import { assertFits, type EncryptionKey } from './key.ts'

export interface EncryptFileOptions {
	readonly key: EncryptionKey
	readonly algorithm: EncryptionAlgorithm
	/** Of the file. Never to be given for two files under one key. */
	readonly iv: Uint8Array
	/** For errors. */
	readonly name: string
}

/** Makes one encrypted file, if need be several times over. */
export interface FileEncryptor {
	/**
	 * The file of these blocks; empty ones are left out. Each block stays what it was: a reader of YDB wants one to end where a row
	 * ends. Holds no more than one block and 16 bytes for each that was made.
	 *
	 * When it is called again, as a retry does, every block must be what it was before: one that is not ends the file with
	 * `DATA_MISMATCH` and is not handed out, so that no nonce ever covers two texts. Errors: also `UNSUPPORTED` for a block above 30 MiB.
	 */
	encrypt(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined>
	/** A small file in one piece. */
	encryptWhole(bytes: Uint8Array): Uint8Array
}

/** What YDB reads at most (`MAX_BLOCK_SIZE`). */
export const MAX_BLOCK_BYTES: number = 30 << 20

/** Source of the format: `TEncryptedFileSerializer` in `ydb/core/backup/common/encryption.cpp`. */
export function createFileEncryptor(options: EncryptFileOptions): FileEncryptor {
	assertFits(options.key, options.algorithm)
	const made = new MacList()
	return {
		async *encrypt(blocks) {
			const chain = createChain(options, made)
			yield* chain.header()
			for await (const bytes of blocks) if (bytes.length > 0) yield* chain.block(bytes)
			yield* chain.block(new Uint8Array(0))
		},
		encryptWhole(bytes) {
			const chain = createChain(options, made)
			const first = bytes.length === 0 ? [] : [bytes]
			const pieces = [...chain.header()]
			for (const block of [...first, new Uint8Array(0)]) pieces.push(...chain.block(block))
			return Buffer.concat(pieces)
		},
	}
}

/** What is handed out for a part of the file, each in order. */
interface Chain {
	header(): Uint8Array[]
	block(bytes: Uint8Array): Uint8Array[]
}

/** Each part is sealed by itself, with the MAC of the one before it among what is authenticated. */
function createChain({ key, algorithm, iv, name }: EncryptFileOptions, made: MacList): Chain {
	let number = 0
	let last: Uint8Array = new Uint8Array(0)

	function seal(open: Uint8Array, bytes: Uint8Array): Uint8Array[] {
		const cipher = openCipher(algorithm, key, blockNonce(iv, number))
		cipher.setAAD(last.length === 0 ? open : Buffer.concat([last, open]), { plaintextLength: bytes.length })
		// In one piece: each further one is a write of its own, and those cost more than the cipher.
		const sealed = cipher.update(bytes)
		cipher.final()
		const mac = cipher.getAuthTag()
		if (!made.accepts(number, mac)) throw changed(name)
		number += 1
		last = mac
		return bytes.length === 0 ? [open, mac] : [open, sealed, mac]
	}

	return {
		header: () => seal(encodeFileHeader({ iv, algorithm }), new Uint8Array(0)),
		block(bytes) {
			if (bytes.length > MAX_BLOCK_BYTES) throw tooLarge(name, bytes.length)
			const length = Buffer.allocUnsafe(4)
			length.writeUInt32BE(bytes.length)
			return seal(length, bytes)
		},
	}
}

/**
 * The MACs of all parts that were made for a file. Under one key and nonce a MAC stands for its text: nobody who does not know the key
 * can make two texts of one MAC.
 */
class MacList {
	#macs: Buffer = Buffer.alloc(0)
	#count = 0

	/** Takes the MAC of the next part, or compares it with what was taken before. */
	accepts(number: number, mac: Uint8Array): boolean {
		const at = number * MAC_BYTES
		if (number < this.#count) return this.#macs.subarray(at, at + MAC_BYTES).equals(mac)
		if (at === this.#macs.length) {
			const larger = Buffer.alloc(Math.max(4 * MAC_BYTES, this.#macs.length * 2))
			larger.set(this.#macs)
			this.#macs = larger
		}
		this.#macs.set(mac, at)
		this.#count += 1
		return true
	}
}

function changed(name: string): BackupError {
	return new BackupError(
		'DATA_MISMATCH',
		`the bytes for ${name} changed between two readings, and must not be encrypted again`,
		{
			advice: 'something writes to the copies of this run; find out what, and run again',
		},
	)
}

function tooLarge(name: string, size: number): BackupError {
	return new BackupError(
		'UNSUPPORTED',
		`${name} has a row of about ${size >> 20} MiB, and YDB reads encrypted blocks up to 30 MiB`,
		{
			advice: 'switch compression on, or leave the table out with --exclude',
		},
	)
}
