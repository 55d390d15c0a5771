import {
	type CipherChaCha20Poly1305,
	type CipherGCM,
	createCipheriv,
	createDecipheriv,
	type DecipherChaCha20Poly1305,
	type DecipherGCM,
} from 'node:crypto'

import { CIPHERS, type EncryptionAlgorithm } from './algorithm.ts'
import type { EncryptionKey } from './key.ts'

export const MAC_BYTES = 16

const OPTIONS = { authTagLength: MAC_BYTES }

export function openCipher(
	algorithm: EncryptionAlgorithm,
	{ secret }: EncryptionKey,
	nonce: Uint8Array,
): CipherGCM | CipherChaCha20Poly1305 {
	const { name } = CIPHERS[algorithm]
	if (name === 'chacha20-poly1305') return createCipheriv(name, secret, nonce, OPTIONS)
	return createCipheriv(name, secret, nonce, OPTIONS)
}

export function openDecipher(
	algorithm: EncryptionAlgorithm,
	{ secret }: EncryptionKey,
	nonce: Uint8Array,
): DecipherGCM | DecipherChaCha20Poly1305 {
	const { name } = CIPHERS[algorithm]
	if (name === 'chacha20-poly1305') return createDecipheriv(name, secret, nonce, OPTIONS)
	return createDecipheriv(name, secret, nonce, OPTIONS)
}
