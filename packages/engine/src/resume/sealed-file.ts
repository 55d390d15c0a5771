import { BackupError } from '@ydbackup/core'
import { canonicalJson, encryption, Fields, parseJson } from '@ydbackup/format'

import type { Keyring } from '../encryption/keyring.ts'
import type { Seal } from '../encryption/seal.ts'

const MAX_BYTES = 256 << 20

/** A small file with an IV of its own, which has nothing to do with those of the backup. */
export function sealFile(name: string, bytes: Uint8Array, { key, algorithm }: Seal): Uint8Array {
	const iv = encryption.newExportIv()
	const data = encryption.createFileEncryptor({ key, algorithm, iv, name }).encryptWhole(bytes)
	return Buffer.from(
		canonicalJson({
			ydbackup: 'sealed',
			version: 1,
			keyId: key.id,
			algorithm,
			iv: encryption.ivHex(iv),
			data: Buffer.from(data).toString('base64'),
		}),
	)
}

/** The bytes of a file that may be sealed. Errors: `KEY_REQUIRED`, `KEY_WRONG`, `KEY_UNAVAILABLE`, `FORMAT_INVALID`. */
export async function openFile(name: string, bytes: Uint8Array, keyring: Keyring): Promise<Uint8Array> {
	function complain(what: string, cause?: unknown): BackupError {
		return new BackupError('FORMAT_INVALID', `${name} ${what}`, { advice: 'take the backup again', cause })
	}
	const fields = new Fields(parseJson(bytes, { maxBytes: MAX_BYTES }, complain), '', complain)
	if (fields.text('ydbackup') !== 'sealed') return bytes
	const iv = encryption.readIv(fields.text('iv'))
	const algorithm = encryption.readAlgorithm(fields.text('algorithm'))
	if (iv === undefined || algorithm === undefined) throw complain('is sealed in a way that this version does not know')
	const key = await keyring.find(fields.text('keyId'), name)
	const data = Buffer.from(fields.text('data', { max: MAX_BYTES }), 'base64')
	return encryption.decryptWhole(data, { key, algorithm, iv, name })
}
