import { BackupError } from '@ydbackup/core'
import { encryption } from '@ydbackup/format'

import type { BackupEncryption } from '../backup/backup-options.ts'
import type { Keyring } from './keyring.ts'
import { proveKey } from './prove-key.ts'
import { createSeal, type Seal } from './seal.ts'

/**
 * What makes a new seal for each backup of a run; undefined without encryption. Before anything else: a key that cannot open what it closes must not be
 * found on the day of the restore. Errors: `KEY_REQUIRED`, `KEY_WRONG`, `KEY_UNAVAILABLE`, `CONFIG_INVALID`.
 */
export async function openSeals(
	asked: BackupEncryption | undefined,
	keyring: Keyring,
	signal: AbortSignal | undefined,
): Promise<(() => Seal) | undefined> {
	const chosen = await chooseKey(asked, keyring, signal)
	return chosen && (() => createSeal(chosen.key, chosen.algorithm))
}

/** The same, for whoever encrypts elsewhere. */
export async function chooseKey(
	asked: BackupEncryption | undefined,
	keyring: Keyring,
	signal: AbortSignal | undefined,
): Promise<Pick<Seal, 'key' | 'algorithm'> | undefined> {
	const [provider] = asked?.keys ?? []
	if (provider === undefined) {
		if (asked?.algorithm === undefined) return undefined
		throw new BackupError(
			'KEY_REQUIRED',
			`an algorithm is named (${asked.algorithm}), and no encryption key is given`,
			{
				advice: 'give --encryption-key too',
			},
		)
	}
	const named = asked?.algorithm === undefined ? undefined : encryption.parseAlgorithm(asked.algorithm)
	const key = await keyring.first()
	const algorithm = named ?? encryption.algorithmOfKey(key.size)
	await proveKey(provider, key, algorithm, signal)
	return { key, algorithm }
}
