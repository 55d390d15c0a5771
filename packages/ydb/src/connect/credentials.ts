import { readFile } from 'node:fs/promises'
import { constants, createPrivateKey, sign } from 'node:crypto'
import { CredentialsProvider } from '@ydbjs/auth'
import { AccessTokenCredentialsProvider } from '@ydbjs/auth/access-token'
import { AnonymousCredentialsProvider } from '@ydbjs/auth/anonymous'
import { MetadataCredentialsProvider } from '@ydbjs/auth/metadata'
import { AuthServiceDefinition, LoginResultSchema } from '@ydbjs/api/auth'
import type { Driver } from '@ydbjs/core'
import { BackupError, isBackupError } from '@ydbackup/core'
import { resultOf } from '../call/operation.ts'

/** Who we are. */
export type Credentials =
	| { readonly kind: 'anonymous' }
	| { readonly kind: 'token'; readonly token: string }
	| { readonly kind: 'static'; readonly user: string; readonly password: string }
	/** A service account's authorized key, as a JSON file. */
	| { readonly kind: 'service-account-key'; readonly file: string }
	| { readonly kind: 'metadata' }

interface Token {
	readonly text: string
	/** Milliseconds since the epoch: after this a new one is asked for. */
	readonly freshUntil: number
}

const CALL_MS = 10_000

/** Keeps a token while it is fresh; calls that need one at the same time share one request. */
abstract class CachedToken extends CredentialsProvider {
	#token: Token | undefined
	#asking: Promise<Token> | undefined

	abstract ask(signal: AbortSignal): Promise<Token>

	override async getToken(force = false): Promise<string> {
		if (!force && this.#token && this.#token.freshUntil > Date.now()) return this.#token.text
		this.#asking ??= this.ask(AbortSignal.timeout(CALL_MS)).finally(() => (this.#asking = undefined))
		this.#token = await this.#asking
		return this.#token.text
	}
}

class Login extends CachedToken {
	readonly #user: string
	readonly #password: string
	readonly #plain: () => Driver

	/** `plain` opens a connection without credentials, which the caller closes. */
	constructor(user: string, password: string, plain: () => Driver) {
		super()
		this.#user = user
		this.#password = password
		this.#plain = plain
	}

	override async ask(signal: AbortSignal): Promise<Token> {
		const doing = `log in as ${this.#user}`
		try {
			const client = this.#plain().createClient(AuthServiceDefinition)
			const { token } = resultOf(
				LoginResultSchema,
				await client.login({ user: this.#user, password: this.#password }, { signal }),
				doing,
			)
			const { exp = 0 } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as {
				exp?: number
			}
			return { text: token, freshUntil: Math.max(exp * 1000 - 60_000, Date.now() + 60_000) }
		} catch (error) {
			if (isBackupError(error, 'DATABASE_PERMISSION'))
				throw new BackupError('DATABASE_UNAUTHENTICATED', error.message, {
					advice: 'check the name of the user and the password',
					cause: error,
				})
			throw error
		}
	}
}

interface AuthorizedKey {
	readonly id: string
	readonly service_account_id: string
	readonly private_key: string
}

const IAM_URL = 'https://iam.api.cloud.yandex.net/iam/v1/tokens'

/** A service account's key: signs a JWT (PS256) and exchanges it for an IAM token. Not verified against the real service. */
class ServiceAccountKey extends CachedToken {
	readonly #file: string
	readonly #url: string

	constructor(file: string, url: string = process.env['YDBACKUP_IAM_URL'] ?? IAM_URL) {
		super()
		this.#file = file
		this.#url = url
	}

	override async ask(signal: AbortSignal): Promise<Token> {
		const advice = 'give the JSON file of an authorized key with id, service_account_id and private_key'
		let key: AuthorizedKey
		let jwt: string
		try {
			key = JSON.parse(await readFile(this.#file, 'utf8')) as AuthorizedKey
			const now = Math.floor(Date.now() / 1000)
			const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
			const head = part({ alg: 'PS256', typ: 'JWT', kid: key.id })
			const body = part({ iss: key.service_account_id, aud: this.#url, iat: now, exp: now + 3600 })
			const pem = key.private_key.slice(key.private_key.indexOf('-----BEGIN'))
			const signature = sign('sha256', Buffer.from(`${head}.${body}`), {
				key: createPrivateKey(pem),
				padding: constants.RSA_PKCS1_PSS_PADDING,
				saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
			})
			jwt = `${head}.${body}.${signature.toString('base64url')}`
		} catch {
			// The cause could quote the file, which holds a private key.
			throw new BackupError('CONFIG_INVALID', `${this.#file} is no authorized key of a service account`, { advice })
		}
		const response = await fetch(this.#url, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ jwt }),
			signal,
		}).catch((error: Error) => {
			throw new BackupError(
				'DATABASE_UNREACHABLE',
				`cannot reach the token service ${new URL(this.#url).host}: ${error.name}`,
				{ retry: 'later' },
			)
		})
		if (!response.ok)
			throw new BackupError(
				'DATABASE_UNAUTHENTICATED',
				`the token service refuses the key of ${this.#file}: HTTP ${response.status}`,
				{ advice: 'create a new authorized key' },
			)
		const { iamToken } = (await response.json()) as { iamToken: string }
		// Tokens live for twelve hours; the service advises to renew them every hour.
		return { text: iamToken, freshUntil: Date.now() + 3_600_000 }
	}
}

export function providerOf(credentials: Credentials, plain: () => Driver): CredentialsProvider {
	switch (credentials.kind) {
		case 'anonymous':
			return new AnonymousCredentialsProvider()
		case 'token':
			return new AccessTokenCredentialsProvider({ token: credentials.token })
		case 'static':
			return new Login(credentials.user, credentials.password, plain)
		case 'service-account-key':
			return new ServiceAccountKey(credentials.file)
		case 'metadata':
			return new MetadataCredentialsProvider()
	}
}
