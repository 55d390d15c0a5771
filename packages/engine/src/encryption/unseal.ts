import {
	encryption,
	type EncryptionAlgorithm,
	type EncryptionKey,
	layout,
	type ManifestEncryption,
} from '@ydbackup/format'

import { ivOfFile, type PlacedFile } from './file-iv.ts'

/** What decrypts the files of one backup. */
export interface Unseal {
	/** The IV that the IVs of a file's export are derived from. */
	exportIvOf(key: string): Uint8Array
	/** The plain bytes of a file, each only when its block is known to be authentic. Errors: `FORMAT_INVALID`. */
	decrypt(file: PlacedFile, stored: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
	decryptWhole(file: PlacedFile, stored: Uint8Array): Promise<Uint8Array>
}

export function createUnseal(key: EncryptionKey, { algorithm, iv, besideIv = iv }: ManifestEncryption): Unseal {
	const exportIv = encryption.readIv(iv) ?? new Uint8Array(0)
	const besideExportIv = encryption.readIv(besideIv) ?? new Uint8Array(0)
	const exportIvOf = (of: string): Uint8Array => (of.startsWith(layout.catalogRoot) ? besideExportIv : exportIv)
	function optionsFor(file: PlacedFile): FileOptions | undefined {
		const fileIv = ivOfFile(exportIvOf(file.key), file)
		return fileIv && { key, algorithm, iv: fileIv, name: file.key }
	}
	return {
		exportIvOf,
		decrypt(file, stored) {
			const options = optionsFor(file)
			return options === undefined ? stored : encryption.decryptFile(stored, options)
		},
		async decryptWhole(file, stored) {
			const options = optionsFor(file)
			return options === undefined ? stored : encryption.decryptWhole(stored, options)
		},
	}
}

interface FileOptions {
	readonly key: EncryptionKey
	readonly algorithm: EncryptionAlgorithm
	readonly iv: Uint8Array
	readonly name: string
}
