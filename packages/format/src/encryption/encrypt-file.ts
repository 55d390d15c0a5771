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
	 * Begins the file. When it is called again, as a retry does, every block must be what it was before: one that is not is not given
	 * out and ends the file with `DATA_MISMATCH`, so that no nonce ever covers two texts. Holds 16 bytes for each block that was made.
	 */
	begin(): EncryptedFile
	/** A small file in one piece. */
	encryptWhole(bytes: Uint8Array): Uint8Array
}

/** A file under way: what its calls return, one behind the other, is the file. */
export interface EncryptedFile {
	/**
	 * Nothing for an empty one. Each block stays what it was: a reader of YDB wants one to end where a row ends. Errors: `DATA_MISMATCH`;
	 * `UNSUPPORTED` above 30 MiB.
	 */
	block(bytes: Uint8Array): readonly Uint8Array[]
	/** Without it the file is cut off, as its reader finds out. */
	end(): Uint8Array
}

/** What YDB reads at most (`MAX_BLOCK_SIZE`). */
export const MAX_BLOCK_BYTES: number = 30 << 20

/** Source of the format: `TEncryptedFileSerializer` in `ydb/core/backup/common/encryption.cpp`. */
export function createFileEncryptor(options: EncryptFileOptions): FileEncryptor {
	assertFits(options.key, options.algorithm)
	const made = new MacList()
	return {
		begin: () => beginFile(options, made),
		encryptWhole(bytes) {
			const file = beginFile(options, made)
			return Buffer.concat([...file.block(bytes), file.end()])
		},
	}
}

const NOTHING = new Uint8Array(0)
const LENGTH_BYTES = 4

/** Each part is sealed by itself; the header, or the MAC of the one before it and its length, are authenticated with it. */
function beginFile({ key, algorithm, iv, name }: EncryptFileOptions, made: MacList): EncryptedFile {
	let number = 0

	function seal(beside: Uint8Array, bytes: Uint8Array): { readonly sealed: Uint8Array; readonly mac: Uint8Array } {
		const cipher = openCipher(algorithm, key, blockNonce(iv, number))
		cipher.setAAD(beside, { plaintextLength: bytes.length })
		// In one piece: each further one is a write of its own, and those cost more than the cipher.
		const sealed = bytes.length === 0 ? NOTHING : cipher.update(bytes)
		cipher.final()
		const mac = cipher.getAuthTag()
		if (!made.accepts(number, mac)) throw changed(name)
		number += 1
		return { sealed, mac }
	}

	const header = encodeFileHeader({ iv, algorithm })
	/** Made and not given out: it goes with what comes next, because a piece of its own costs more than it. */
	let waiting: Uint8Array = Buffer.concat([header, seal(header, NOTHING).mac])

	/** What stands before a block: all that waits, and its length. */
	function before(bytes: Uint8Array): Buffer {
		const length = Buffer.allocUnsafe(LENGTH_BYTES)
		length.writeUInt32BE(bytes.length)
		return Buffer.concat([waiting, length])
	}
	const besideOf = (opening: Buffer): Buffer => opening.subarray(-(MAC_BYTES + LENGTH_BYTES))

	return {
		block(bytes) {
			if (bytes.length === 0) return []
			if (bytes.length > MAX_BLOCK_BYTES) throw tooLarge(name, bytes.length)
			const opening = before(bytes)
			const { sealed, mac } = seal(besideOf(opening), bytes)
			waiting = mac
			return [opening, sealed]
		},
		end() {
			const opening = before(NOTHING)
			return Buffer.concat([opening, seal(besideOf(opening), NOTHING).mac])
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
