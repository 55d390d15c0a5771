import { randomBytes } from 'node:crypto'

import { BackupError, type KeyProvider } from '@ydbackup/core'
import { encryption, type EncryptionAlgorithm, type EncryptionKey } from '@ydbackup/format'

import { loadKey } from './keyring.ts'

/**
 * Encrypts a canary with a key, and decrypts it with what the provider gives when it is asked again: a source that gives another key
 * each time would make backups that nobody can open. Nothing of it is stored. Errors: `KEY_WRONG`, `CONFIG_INVALID` when the key does
 * not fit the algorithm.
 */
export async function proveKey(
	provider: KeyProvider,
	key: EncryptionKey,
	algorithm: EncryptionAlgorithm,
	signal: AbortSignal | undefined,
): Promise<void> {
	const canary = randomBytes(64)
	const file = { algorithm, iv: encryption.newExportIv(), name: 'the canary' }
	const sealed = encryption.createFileEncryptor({ ...file, key }).encryptWhole(canary)
	const again = await loadKey(provider, signal)
	if (again.id === key.id) {
		const opened = await encryption.decryptWhole(sealed, { ...file, key: again })
		if (canary.equals(opened)) return
	}
	throw new BackupError('KEY_WRONG', `${provider.name} does not give the same key twice: ${key.id}, then ${again.id}`, {
		advice: 'nothing was written; let it give one key that is kept, not a new one at each call',
	})
}
