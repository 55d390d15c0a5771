import { BackupError } from '@ydbackup/core'
import { encryption, type EncryptionAlgorithm, type EncryptionKey, type FileEncryptor } from '@ydbackup/format'

import { ivOfFile, type PlacedFile } from './file-iv.ts'

/** What encrypts the files of one run. */
export interface Seal {
	readonly key: EncryptionKey
	readonly algorithm: EncryptionAlgorithm
	/** Drawn for this run. */
	readonly exportIv: Uint8Array
	/**
	 * Encrypts one file; undefined for a file that stays open. To be asked once for each: a retry goes through the same encryptor, which
	 * refuses other bytes. Errors: `INTERNAL` for an IV that was given out before.
	 */
	encryptor(file: PlacedFile): FileEncryptor | undefined
}

/** What a result says of it. */
export function encryptionOf(
	seal: Pick<Seal, 'key' | 'algorithm'> | undefined,
): { readonly algorithm: string; readonly keyId: string } | undefined {
	return seal && { algorithm: seal.algorithm, keyId: seal.key.id }
}

/**
 * The IV is new with every call: two runs never share a nonce, whatever they write and however the first one ended. Whoever goes on with
 * a run that was cut off makes a new seal and writes its files anew: the MACs that allow a retry die with the process. What is written beside
 * an export by the cluster has a seal of its own: the cluster has drawn an IV for the export.
 */
export function createSeal(key: EncryptionKey, algorithm: EncryptionAlgorithm): Seal {
	encryption.assertFits(key, algorithm)
	const exportIv = encryption.newExportIv()
	const used = new Set<string>()
	return {
		key,
		algorithm,
		exportIv,
		encryptor(file) {
			const iv = ivOfFile(exportIv, file)
			if (iv === undefined) return undefined
			const name = encryption.ivHex(iv)
			if (used.has(name)) throw new BackupError('INTERNAL', `${file.key} would be encrypted with an IV that was used`)
			used.add(name)
			return encryption.createFileEncryptor({ key, algorithm, iv, name: file.key })
		},
	}
}
