import { BackupError, type Storage } from '@ydbackup/core'
import { encryption, type EncryptionAlgorithm, type EncryptionKey, layout } from '@ydbackup/format'

import { objectMissing } from '../part/damage.ts'
import { rootKey } from '../part/keys.ts'
import { readWhole } from '../part/read-object.ts'

const LARGEST = 1 << 20

/** The IV that the cluster drew for an export, from the one file that says it. Errors: `OBJECT_MISSING`, `FORMAT_INVALID`, `KEY_WRONG`. */
export async function readExportIv(
	storage: Storage,
	id: string,
	seal: { readonly key: EncryptionKey; readonly algorithm: EncryptionAlgorithm },
	signal: AbortSignal | undefined,
): Promise<Uint8Array> {
	const key = `${rootKey(id, 'SchemaMapping/metadata.json')}${layout.encryptedSuffix}`
	const info = await storage.stat(key, { signal })
	if (info === undefined || info.size > LARGEST) throw objectMissing(key)
	const stored = await readWhole({ storage, key, size: info.size, signal })
	let iv: Uint8Array | undefined
	const onHeader = (header: { readonly iv: Uint8Array }): void => {
		iv = header.iv
	}
	await encryption.decryptWhole(stored, { ...seal, iv: undefined, name: key, onHeader })
	if (iv === undefined) throw new BackupError('FORMAT_INVALID', `${key} says no IV`)
	return iv
}
