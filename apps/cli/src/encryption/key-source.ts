import { BackupError } from '@ydbackup/core'

/** Where a key is kept, as `--encryption-key` names it. */
export type KeySource =
	| { readonly kind: 'file'; readonly path: string }
	| { readonly kind: 'env'; readonly name: string }
	| { readonly kind: 'command'; readonly command: string }

/**
 * Reads `file:PATH`, `env:NAME` or `command:COMMAND`. Errors: `CONFIG_INVALID`, without the text: who gives the key itself here must not
 * find it in a log.
 */
export function parseKeySource(text: string, from: string): KeySource {
	const [kind, rest] = [text.slice(0, Math.max(0, text.indexOf(':'))), text.slice(text.indexOf(':') + 1)]
	if (kind === 'file' && rest !== '') return { kind, path: rest }
	if (kind === 'env' && /^[A-Za-z_][A-Za-z0-9_]*$/u.test(rest)) return { kind, name: rest }
	if (kind === 'command' && rest.trim() !== '') return { kind, command: rest }
	throw new BackupError('CONFIG_INVALID', `${from} does not say where a key is`, {
		advice: 'give file:PATH, env:NAME or command:COMMAND; a key itself is never given on the command line',
	})
}

const LENGTHS: Readonly<Record<number, 'hex' | 'base64'>> = { 32: 'hex', 64: 'hex', 24: 'base64', 44: 'base64' }

/** The bytes of a key that is written as text: hex, or base64. Undefined for anything else. */
export function readKeyText(text: string): Uint8Array | undefined {
	const plain = text.trim()
	const encoding = LENGTHS[plain.length]
	const like = encoding === 'hex' ? /^[0-9A-Fa-f]+$/u : /^[A-Za-z0-9+/]+={0,2}$/u
	if (encoding === undefined || !like.test(plain)) return undefined
	const bytes = Buffer.from(plain, encoding)
	return bytes.length === 16 || bytes.length === 32 ? Uint8Array.from(bytes) : undefined
}
