import { createHash, createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'

import { BackupError } from '@ydbackup/core'

import { CIPHERS, type EncryptionAlgorithm } from './algorithm.ts'

/** A key that can be used and compared, and whose bytes no message, log or JSON can show. */
export interface EncryptionKey {
	/** Names the key without telling it: 32 hex digits of a hash. Equal ids are equal keys. */
	readonly id: string
	/** 16 or 32. */
	readonly size: number
	/** Opaque: prints as nothing. */
	readonly secret: KeyObject
}

/** Takes raw bytes, which the caller may wipe afterwards. `from` says where they came from. Errors: `CONFIG_INVALID`. */
export function createEncryptionKey(bytes: Uint8Array, from: string): EncryptionKey {
	if (bytes.length !== 16 && bytes.length !== 32) {
		throw new BackupError('CONFIG_INVALID', `the encryption key of ${from} has ${bytes.length} bytes`, {
			advice:
				bytes.length === 17 || bytes.length === 33
					? 'a key is raw bytes, 16 for AES-128-GCM and 32 for the others: is there a line end behind it?'
					: 'a key is raw bytes, 16 for AES-128-GCM and 32 for the others: openssl rand -out FILE 32',
		})
	}
	const digest = createHash('sha256').update('ydbackup key id 1\n').update(bytes).digest('hex')
	return { id: digest.slice(0, 32), size: bytes.length, secret: createSecretKey(bytes) }
}

/** Errors: `CONFIG_INVALID` when the key has not the algorithm's length. */
export function assertFits(key: EncryptionKey, algorithm: EncryptionAlgorithm): void {
	const { keyBytes } = CIPHERS[algorithm]
	if (key.size === keyBytes) return
	throw new BackupError(
		'CONFIG_INVALID',
		`${algorithm} needs a key of ${keyBytes} bytes, and this one has ${key.size}`,
		{
			advice: 'name another algorithm, or give another key',
		},
	)
}

/** HMAC-SHA-256 of a text in hex, by a key that is derived for it alone: nothing else is ever made with that one. */
export function authenticate(key: EncryptionKey, text: string): string {
	const derived = hkdfSync('sha256', key.secret, '', 'ydbackup manifest 1', 32)
	return createHmac('sha256', new Uint8Array(derived)).update(text).digest('hex')
}

export function isAuthentic(key: EncryptionKey, text: string, tag: string): boolean {
	const expected = Buffer.from(authenticate(key, text))
	const found = Buffer.from(tag)
	return expected.length === found.length && timingSafeEqual(expected, found)
}
