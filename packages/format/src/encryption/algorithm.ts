import { BackupError } from '@ydbackup/core'

/** The ciphers of YDB's encrypted exports, as they are spelt in files. */
export type EncryptionAlgorithm = 'AES-128-GCM' | 'AES-256-GCM' | 'ChaCha20-Poly1305'

interface Cipher {
	/** As node:crypto has it. */
	readonly name: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'
	readonly keyBytes: number
}

export const CIPHERS: Readonly<Record<EncryptionAlgorithm, Cipher>> = {
	'AES-128-GCM': { name: 'aes-128-gcm', keyBytes: 16 },
	'AES-256-GCM': { name: 'aes-256-gcm', keyBytes: 32 },
	'ChaCha20-Poly1305': { name: 'chacha20-poly1305', keyBytes: 32 },
}

/** Reads a name as YDB does: case, `-` and `_` do not matter. Undefined for one that is not known. */
export function readAlgorithm(text: string): EncryptionAlgorithm | undefined {
	const plain = (name: string): string => name.replaceAll(/[-_]/gu, '').toLowerCase()
	return (Object.keys(CIPHERS) as EncryptionAlgorithm[]).find((name) => plain(name) === plain(text))
}

/** As {@link readAlgorithm}. Errors: `CONFIG_INVALID`. */
export function parseAlgorithm(text: string): EncryptionAlgorithm {
	const algorithm = readAlgorithm(text)
	if (algorithm !== undefined) return algorithm
	throw new BackupError('CONFIG_INVALID', `${JSON.stringify(text.slice(0, 100))} is no encryption algorithm`, {
		advice: 'give aes-128-gcm, aes-256-gcm or chacha20-poly1305',
	})
}

/** The algorithm of a key for which none was named: AES of the key's length. */
export function algorithmOfKey(keyBytes: number): EncryptionAlgorithm {
	return keyBytes === 16 ? 'AES-128-GCM' : 'AES-256-GCM'
}
