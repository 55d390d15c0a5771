import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, verify } from 'node:crypto'
import { forbidden, unauthorized } from './errors.ts'

export const ALL_PERMISSIONS = [
	'storage.buckets.get',
	'storage.objects.create',
	'storage.objects.delete',
	'storage.objects.get',
	'storage.objects.list',
	'storage.objects.update',
	'storage.objects.setRetention',
] as const

export type Permission = (typeof ALL_PERMISSIONS)[number]

/** The file that a service account's key comes in. */
export interface ServiceAccountKey {
	readonly type: 'service_account'
	readonly project_id: string
	readonly private_key_id: string
	readonly private_key: string
	readonly client_email: string
	readonly client_id: string
	readonly token_uri: string
}

interface Account {
	readonly email: string
	readonly key: KeyObject
	readonly keyId: string
	readonly permissions: ReadonlySet<string>
}

/** What the token endpoint answers. */
export interface TokenAnswer {
	readonly status: number
	readonly body: Record<string, unknown>
}

const SCOPES = new Set([
	'https://www.googleapis.com/auth/cloud-platform',
	'https://www.googleapis.com/auth/devstorage.full_control',
	'https://www.googleapis.com/auth/devstorage.read_write',
	'https://www.googleapis.com/auth/iam',
])

const readPart = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString())

/** Service accounts, their keys and the tokens that they were given. */
export class Accounts {
	readonly #accounts = new Map<string, Account>()
	readonly #tokens = new Map<string, { account: Account; expiresAt: number }>()
	readonly #tokenSeconds: number

	constructor(tokenSeconds: number) {
		this.#tokenSeconds = tokenSeconds
	}

	add(email: string, tokenUri: string, permissions: readonly Permission[]): ServiceAccountKey {
		const { privateKey, publicKey } = generateKeyPairSync('rsa', {
			modulusLength: 2048,
			publicKeyEncoding: { type: 'spki', format: 'pem' },
			privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
		})
		const keyId = randomBytes(20).toString('hex')
		this.#accounts.set(email, {
			email,
			key: createPublicKey(publicKey),
			keyId,
			permissions: new Set(permissions),
		})
		return {
			type: 'service_account',
			project_id: 'test-project',
			private_key_id: keyId,
			private_key: privateKey,
			client_email: email,
			client_id: '100000000000000000001',
			token_uri: tokenUri,
		}
	}

	/** Answers a token request: the assertion's signature, audience, time and scopes are checked as the real endpoint does. */
	exchange(form: URLSearchParams, tokenUri: string): TokenAnswer {
		const refuse = (error: string, description: string): TokenAnswer => ({
			status: 400,
			body: { error, error_description: description },
		})
		if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer')
			return refuse('unsupported_grant_type', 'Invalid grant_type')
		const parts = (form.get('assertion') ?? '').split('.')
		if (parts.length !== 3) return refuse('invalid_grant', 'Invalid JWT: not three parts')
		const [head = '', claims = '', signature = ''] = parts
		const { alg, kid } = readPart(head)
		const { iss, aud, iat, exp, scope } = readPart(claims)
		const account = this.#accounts.get(String(iss))
		if (!account) return refuse('invalid_grant', 'Invalid grant: account not found')
		const isSigned =
			alg === 'RS256' &&
			(kid === undefined || kid === account.keyId) &&
			verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), account.key, Buffer.from(signature, 'base64url'))
		if (!isSigned) return refuse('invalid_grant', 'Invalid JWT Signature.')
		if (aud !== tokenUri) return refuse('invalid_grant', 'Invalid JWT: Failed audience check.')
		const now = Date.now() / 1000
		const isTimely =
			typeof iat === 'number' &&
			typeof exp === 'number' &&
			iat <= now + 300 &&
			exp > now &&
			exp > iat &&
			exp - iat <= 3600
		if (!isTimely)
			return refuse(
				'invalid_grant',
				'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.',
			)
		if (typeof scope !== 'string' || !scope.split(' ').some((one) => SCOPES.has(one)))
			return refuse('invalid_scope', 'Invalid OAuth scope or ID token audience provided.')
		return {
			status: 200,
			body: { access_token: this.issue(account.email), expires_in: this.#tokenSeconds, token_type: 'Bearer' },
		}
	}

	/** A token of an account. */
	issue(email: string): string {
		const account = this.#accounts.get(email)
		if (!account) throw new Error(`no account ${email}`)
		const token = `ya29.${randomBytes(40).toString('base64url')}`
		this.#tokens.set(token, { account, expiresAt: Date.now() + this.#tokenSeconds * 1000 })
		return token
	}

	/** Makes every token that was given so far worthless. */
	revoke(): void {
		this.#tokens.clear()
	}

	/** What the bearer of a request may do. */
	bearer(authorization: string | undefined): { email: string; permissions: ReadonlySet<string> } {
		if (authorization === undefined) throw unauthorized('Anonymous caller does not have storage access.')
		const [, token = ''] = /^Bearer (\S+)$/.exec(authorization) ?? []
		const known = this.#tokens.get(token)
		if (!known || known.expiresAt <= Date.now()) throw unauthorized()
		return known.account
	}
}

/** Throws unless the caller has a permission. */
export function demand(
	caller: { email: string; permissions: ReadonlySet<string> },
	permission: Permission,
	what: 'object' | 'bucket',
): void {
	if (!caller.permissions.has(permission)) throw forbidden(caller.email, permission, what)
}
