import { createSign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BackupError } from '@ydbackup/core'
import { orAborted } from '@ydbackup/core/driver-kit'
import { cleaned, harmless, networkError } from './failure.ts'
import type { Connections, Task } from './http.ts'
import { isLoopback } from './location.ts'

const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write'
/** A token is not used in its last minute: a request may take that long to be looked at. */
const MARGIN_MS = 60_000
const LIFETIME_S = 3600
/** How long the SDK may look for credentials: it asks several places. */
const SDK_MS = 60_000

/** Who the requests are from. */
export interface Tokens {
	/** A token that was good a moment ago; none for anonymous requests. */
	current(task: Task): Promise<string | undefined>
	/** Hears that the service refused a token, so that the next one is new. */
	refused(token: string): void
}

interface Token {
	readonly token: string
	/** By the clock that nobody sets. */
	readonly goodUntil: number
}

/** Keeps a token while it is good. Callers that need a new one at the same time share it. */
function kept(fetchToken: () => Promise<Token>): Tokens {
	let token: Token | undefined
	let coming: Promise<Token> | undefined
	return {
		async current({ doing, signal }) {
			if (token && performance.now() < token.goodUntil) return token.token
			coming ??= fetchToken().finally(() => (coming = undefined))
			token = await orAborted(coming, signal, `trying to ${doing}`)
			return token.token
		},
		refused(text) {
			if (token?.token === text) token = undefined
		},
	}
}

export const anonymous: Tokens = { current: async () => undefined, refused: () => undefined }

interface ServiceAccount {
	readonly type: 'service_account'
	readonly client_email: string
	readonly private_key: string
	readonly private_key_id?: string
	readonly token_uri: string
	readonly universe_domain?: string
}

const forbidden = (message: string, advice: string, cause?: unknown): BackupError =>
	new BackupError('STORAGE_PERMISSION', message, { advice, reason: 'credentials', cause })

/**
 * Finds the credentials: the file of a service account is used directly, because the SDK would ask Google's token endpoint
 * whatever the file says, and could not be stopped; everything else is the SDK's default chain.
 */
export async function findTokens(
	environment: Readonly<Record<string, string | undefined>>,
	connections: Connections,
): Promise<Tokens> {
	const { GOOGLE_APPLICATION_CREDENTIALS: path } = environment
	if (path === undefined || path === '') return sdkTokens(undefined)
	const advice = 'set GOOGLE_APPLICATION_CREDENTIALS to the JSON file of a service account'
	let file: unknown
	try {
		file = JSON.parse(await readFile(path, 'utf8'))
	} catch (error) {
		const why = (error as NodeJS.ErrnoException).code ?? 'it is not JSON'
		// What a JSON parser says quotes the file.
		throw forbidden(`cannot read the credentials in ${path}: ${why}`, advice)
	}
	if (!isServiceAccount(file)) {
		if ((file as { type?: unknown } | null)?.type === 'service_account')
			throw forbidden(`the credentials in ${path} lack a part of a service account's key`, advice)
		return sdkTokens(path)
	}
	if (file.universe_domain !== undefined && file.universe_domain !== 'googleapis.com') return sdkTokens(path)
	const account = file
	const tokenUrl = URL.canParse(account.token_uri) ? new URL(account.token_uri) : undefined
	if (tokenUrl === undefined || (tokenUrl.protocol !== 'https:' && !isLoopback(tokenUrl.hostname)))
		throw forbidden(`the credentials in ${path} name a token_uri that is not https`, advice)
	return kept(() => exchange(account, tokenUrl, connections))
}

function isServiceAccount(file: unknown): file is ServiceAccount {
	if (typeof file !== 'object' || file === null) return false
	const { type, client_email, private_key, token_uri } = file as Record<string, unknown>
	return type === 'service_account' && [client_email, private_key, token_uri].every((part) => typeof part === 'string')
}

/** An assertion of RFC 7523, signed with the account's key. */
function assertion(account: ServiceAccount, now: number): string {
	const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
	const { private_key_id: kid, client_email: iss, token_uri: aud } = account
	const head = part({ alg: 'RS256', typ: 'JWT', ...(kid !== undefined && { kid }) })
	const claims = part({ iss, scope: SCOPE, aud, iat: now, exp: now + LIFETIME_S })
	let signature: string
	try {
		signature = createSign('RSA-SHA256').update(`${head}.${claims}`).sign(account.private_key, 'base64url')
	} catch {
		throw forbidden(`the private key of ${iss} cannot be used`, 'download a new key of the service account')
	}
	return `${head}.${claims}.${signature}`
}

async function exchange(account: ServiceAccount, url: URL, connections: Connections): Promise<Token> {
	const task: Task = { doing: `get a token for ${account.client_email} from ${url.host}`, signal: undefined }
	const form = new URLSearchParams({
		grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
		assertion: assertion(account, Math.floor(Date.now() / 1000)),
	})
	const response = await connections.send(
		{
			method: 'POST',
			url,
			headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
			body: [Buffer.from(form.toString())],
		},
		task,
	)
	const { status } = response
	const answer = readAnswer(await connections.text(response, task))
	const { access_token: token, expires_in: seconds, error, error_description: description } = answer
	if (status === 200 && typeof token === 'string' && token !== '') {
		const lifetime = typeof seconds === 'number' ? seconds * 1000 : LIFETIME_S * 1000
		return { token, goodUntil: performance.now() + Math.max(lifetime - MARGIN_MS, lifetime / 2) }
	}
	const words = [status, error, description].filter((word) => typeof word === 'string' || word === status).join(' ')
	if (status === 429 || status >= 500)
		throw new BackupError('STORAGE_TRANSIENT', `cannot ${task.doing}: ${cleaned(words)}`, {
			retry: 'later',
			advice: 'try again',
		})
	throw forbidden(
		`cannot ${task.doing}: ${cleaned(words)}`,
		/reasonable timeframe/.test(words)
			? 'set the clock of this machine'
			: 'check that the service account and its key still exist',
	)
}

function readAnswer(text: string): Record<string, unknown> {
	try {
		const value: unknown = JSON.parse(text)
		return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
	} catch {
		return {}
	}
}

/** The SDK's chain: a file of another kind, what gcloud left, or the metadata server of the machine. */
function sdkTokens(keyFilename: string | undefined): Tokens {
	const open = async () => {
		const { Storage } = await import('@google-cloud/storage')
		// Told of a file, the SDK complains on the console; the variable it reads by itself without a word.
		const isKnown = keyFilename === undefined || keyFilename === process.env['GOOGLE_APPLICATION_CREDENTIALS']
		return new Storage(isKnown ? {} : { keyFilename }).authClient
	}
	let client: ReturnType<typeof open> | undefined
	const tokens = kept(async () => {
		try {
			client ??= open()
			const token = await orAborted(
				client.then((auth) => auth.getAccessToken()),
				AbortSignal.timeout(SDK_MS),
				'looking for credentials',
			)
			if (!token) throw new Error('no token came')
			// The SDK keeps it, and knows when it ends.
			return { token, goodUntil: performance.now() }
		} catch (error) {
			client = undefined
			throw credentialsError(error)
		}
	})
	return {
		current: tokens.current,
		refused() {
			client = undefined
		},
	}
}

function credentialsError(error: unknown): BackupError {
	const { response, code, status } = (error ?? {}) as {
		response?: { status?: number }
		code?: unknown
		status?: number
	}
	const answered = response?.status ?? status
	if (answered !== undefined && (answered === 429 || answered >= 500))
		return new BackupError('STORAGE_TRANSIENT', `cannot get a token: ${answered}`, {
			retry: 'later',
			advice: 'try again',
			cause: harmless(error),
		})
	if (answered === undefined && typeof code === 'string' && /^(?:E[A-Z_]+)$/.test(code) && code !== 'ENOENT')
		return networkError(error, 'get a token')
	return forbidden(
		`cannot find credentials for Google Cloud Storage: ${cleaned(harmless(error).message)}`,
		'set GOOGLE_APPLICATION_CREDENTIALS to the JSON file of a service account, or run gcloud auth application-default login',
		harmless(error),
	)
}
