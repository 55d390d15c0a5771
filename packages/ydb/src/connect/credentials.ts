import { readFile } from 'node:fs/promises'
import { constants, createPrivateKey, sign } from 'node:crypto'
import { CredentialsProvider } from '@ydbjs/auth'
import { AccessTokenCredentialsProvider } from '@ydbjs/auth/access-token'
import { AnonymousCredentialsProvider } from '@ydbjs/auth/anonymous'
import { AuthServiceDefinition, LoginResultSchema } from '@ydbjs/api/auth'
import type { Driver } from '@ydbjs/core'
import { BackupError } from '@ydbackup/core'
import { bounded, unlessAborted } from '../call/bounded.ts'
import { callError } from '../call/failure.ts'
import { resultOf } from '../call/operation.ts'

/** Who we are. */
export type Credentials =
	| { readonly kind: 'anonymous' }
	| { readonly kind: 'token'; readonly token: string }
	| { readonly kind: 'static'; readonly user: string; readonly password: string }
	/** A service account's authorized key, as a JSON file. `url` is where tokens are issued, when it is not the usual place. */
	| { readonly kind: 'service-account-key'; readonly file: string; readonly url?: string }
	/** The service account of the machine we run on. `url` is where its tokens are, when it is not the usual place. */
	| { readonly kind: 'metadata'; readonly url?: string }

interface Token {
	readonly text: string
	/** Milliseconds since the epoch: after this a new one is asked for. */
	readonly freshUntil: number
}

const CALL_MS = 10_000

/** The moment until which a token of that life is used: the last fifth is left for calls that take long. */
function freshUntil(lifeMs: number): number {
	return Date.now() + Math.max(1_000, lifeMs * 0.8)
}

/** Keeps a token while it is fresh; calls that need one at the same time share one request. */
abstract class CachedToken extends CredentialsProvider {
	#token: Token | undefined
	#asking: Promise<Token> | undefined

	/** Whom we ask, for messages. */
	abstract readonly issuer: string
	abstract ask(signal: AbortSignal): Promise<Token>

	override async getToken(force = false, signal?: AbortSignal): Promise<string> {
		if (!force && this.#token && this.#token.freshUntil > Date.now()) return this.#token.text
		this.#asking ??= bounded(undefined, CALL_MS, (signal) => this.ask(signal)).finally(() => (this.#asking = undefined))
		const asking = this.#asking.then((token) => (this.#token = token).text)
		// The call that waits may end before the request does, which others wait for, too.
		return unlessAborted(signal, asking).catch((error: unknown) => {
			if (!signal?.aborted) throw error
			throw new BackupError('DATABASE_UNREACHABLE', `no token from ${this.issuer} in time`, { retry: 'later' })
		})
	}
}

/** Seconds since the epoch at which a JWT ends; undefined for anything else. */
function endOf(token: string): number | undefined {
	try {
		const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown }
		return typeof exp === 'number' ? exp : undefined
	} catch {
		return undefined
	}
}

class Login extends CachedToken {
	override readonly issuer = 'the database'
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
			const end = endOf(token)
			return { text: token, freshUntil: freshUntil(end === undefined ? 60_000 : end * 1000 - Date.now()) }
		} catch (thrown) {
			const error = callError(thrown, doing)
			if (error.code !== 'DATABASE_PERMISSION') throw error
			throw new BackupError('DATABASE_UNAUTHENTICATED', error.message, {
				advice: 'check the name of the user and the password',
				cause: error,
			})
		}
	}
}

interface Issuer {
	/** What it is, for messages. */
	readonly name: string
	readonly url: string
	readonly adviceIfRefused: string
}

/** Asks for a token by HTTP. Neither request nor answer ever stands in an error: both hold secrets. */
async function askIssuer(
	{ name, url, adviceIfRefused }: Issuer,
	request: RequestInit,
	read: (answer: Record<string, unknown>) => Token | undefined,
): Promise<Token> {
	const unreachable = (why: string): BackupError =>
		new BackupError('DATABASE_UNREACHABLE', `cannot get a token from ${name} at ${new URL(url).host}: ${why}`, {
			retry: 'later',
			advice: `check that ${name} can be reached from here`,
		})
	let response: Response
	let text: string
	try {
		response = await fetch(url, request)
		text = await response.text()
	} catch (error) {
		const { name: kind, cause } = error as Error & { cause?: { code?: string } }
		throw unreachable(kind === 'TimeoutError' ? 'no answer in time' : (cause?.code ?? kind))
	}
	if (response.status >= 500 || response.status === 429) throw unreachable(`HTTP ${response.status}`)
	if (!response.ok)
		throw new BackupError('DATABASE_UNAUTHENTICATED', `${name} refuses to give a token: HTTP ${response.status}`, {
			advice: adviceIfRefused,
		})
	let token: Token | undefined
	try {
		token = read(JSON.parse(text) as Record<string, unknown>)
	} catch {}
	if (!token) throw unreachable('the answer holds no token')
	return token
}

interface AuthorizedKey {
	readonly id: string
	readonly service_account_id: string
	readonly private_key: string
}

const IAM_URL = 'https://iam.api.cloud.yandex.net/iam/v1/tokens'
/** Tokens live for twelve hours; the service advises to renew them every hour. */
const IAM_MS = 3_600_000

/** A service account's key: signs a JWT (PS256) and exchanges it for an IAM token. Not verified against the real service. */
class ServiceAccountKey extends CachedToken {
	override readonly issuer = 'the token service'
	readonly #file: string
	readonly #url: string

	constructor(file: string, url: string = process.env['YDBACKUP_IAM_URL'] ?? IAM_URL) {
		super()
		this.#file = file
		this.#url = url
	}

	async #jwt(): Promise<string> {
		try {
			const key = JSON.parse(await readFile(this.#file, 'utf8')) as AuthorizedKey
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
			return `${head}.${body}.${signature.toString('base64url')}`
		} catch {
			// The cause could quote the file, which holds a private key.
			throw new BackupError('CONFIG_INVALID', `${this.#file} is no authorized key of a service account`, {
				advice: 'give the JSON file of an authorized key with id, service_account_id and private_key',
			})
		}
	}

	override async ask(signal: AbortSignal): Promise<Token> {
		const jwt = await this.#jwt()
		return askIssuer(
			{ name: this.issuer, url: this.#url, adviceIfRefused: `create a new authorized key for ${this.#file}` },
			{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ jwt }), signal },
			({ iamToken }) =>
				typeof iamToken === 'string' ? { text: iamToken, freshUntil: Date.now() + IAM_MS } : undefined,
		)
	}
}

const METADATA_URL = 'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token'

class Metadata extends CachedToken {
	override readonly issuer = 'the metadata service'
	readonly #url: string

	constructor(url: string = METADATA_URL) {
		super()
		this.#url = url
	}

	override ask(signal: AbortSignal): Promise<Token> {
		return askIssuer(
			{
				name: this.issuer,
				url: this.#url,
				adviceIfRefused: 'give this machine a service account, or use other credentials',
			},
			{ headers: { 'metadata-flavor': 'Google' }, signal },
			({ access_token: text, expires_in: seconds }) =>
				typeof text === 'string'
					? { text, freshUntil: freshUntil((typeof seconds === 'number' ? seconds : 3600) * 1000) }
					: undefined,
		)
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
			return new ServiceAccountKey(credentials.file, credentials.url)
		case 'metadata':
			return new Metadata(credentials.url)
	}
}
