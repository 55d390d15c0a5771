import { createHash, createHmac } from 'node:crypto'

/** As `ssh` and `ssh-keygen -l` show it. */
export function fingerprintOf(key: Uint8Array): string {
	return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The name of a public key's type, which is its first field; empty for what is no key. */
export function keyTypeOf(key: Uint8Array): string {
	if (key.length < 4) return ''
	return Buffer.from(key.subarray(4, 4 + new DataView(key.buffer, key.byteOffset).getUint32(0))).toString('latin1')
}

export interface KnownKeys {
	readonly known: readonly Buffer[]
	readonly revoked: readonly Buffer[]
}

/** The keys that a file of known hosts has for a server. Certificate authorities are passed over: the client cannot check certificates. */
export function knownKeysOf(text: string, host: string, port: number): KnownKeys {
	const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
	const known: Buffer[] = []
	const revoked: Buffer[] = []
	for (const line of text.split('\n')) {
		const words = line.trim().split(/\s+/)
		if (words[0] === '' || words[0]!.startsWith('#')) continue
		const marker = words[0]!.startsWith('@') ? words.shift() : undefined
		const [patterns = '', , key = ''] = words
		if (marker === '@cert-authority' || !matches(patterns, name)) continue
		const list = marker === '@revoked' ? revoked : known
		list.push(Buffer.from(key, 'base64'))
	}
	return { known, revoked }
}

/** `a,*.b,!c.b`, or `|1|salt|hash`. */
function matches(patterns: string, name: string): boolean {
	const [, version, salt = '', hash] = patterns.split('|')
	if (version === '1') return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash
	let isMatch = false
	for (const pattern of patterns.toLowerCase().split(',')) {
		const isNot = pattern.startsWith('!')
		const glob = (isNot ? pattern.slice(1) : pattern).replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
		if (!new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(name)) continue
		if (isNot) return false
		isMatch = true
	}
	return isMatch
}
