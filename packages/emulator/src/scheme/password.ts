import { argon2Sync, randomBytes, timingSafeEqual } from 'node:crypto'

interface Kept {
	readonly hash: string
	readonly salt: string
	readonly type: string
}

/** Cost and lengths as YDB's login provider was remembered to have them: not verified. */
function argon(password: string, salt: Buffer): Buffer {
	return argon2Sync('argon2id', {
		message: password,
		nonce: salt,
		parallelism: 1,
		tagLength: 32,
		memory: 2048,
		passes: 2,
	})
}

/** What is kept of a password: the JSON that CREATE USER … HASH takes. Empty for no password. */
export function hashOf(password: string): string {
	if (password === '') return ''
	const salt = randomBytes(16)
	const kept: Kept = { hash: argon(password, salt).toString('base64'), salt: salt.toString('base64'), type: 'argon2id' }
	return JSON.stringify(kept)
}

export function isHash(text: string): boolean {
	if (text === '') return true
	try {
		const { hash, salt, type } = JSON.parse(text) as Partial<Kept>
		return type === 'argon2id' && typeof hash === 'string' && typeof salt === 'string'
	} catch {
		return false
	}
}

export function fits(password: string, kept: string): boolean {
	if (kept === '') return password === ''
	if (password === '') return false
	const { hash, salt } = JSON.parse(kept) as Kept
	const [wanted, given] = [Buffer.from(hash, 'base64'), argon(password, Buffer.from(salt, 'base64'))]
	return wanted.length === given.length && timingSafeEqual(wanted, given)
}
