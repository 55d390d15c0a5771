import { BackupError, type OpenContext } from '@ydbackup/core'
import { nearestOf } from '@ydbackup/core/driver-kit'
import { options } from './options.ts'

const MIB = 2 ** 20

export interface Credentials {
	readonly accessKeyId: string
	readonly secretAccessKey: string
	readonly sessionToken?: string
}

/** What a location and the environment say together. */
export interface S3Settings {
	readonly bucket: string
	/** Empty, or ends with a slash. */
	readonly prefix: string
	readonly region: string | undefined
	readonly endpoint: string | undefined
	readonly pathStyle: boolean
	readonly profile: string | undefined
	readonly caFile: string | undefined
	readonly storageClass: string | undefined
	readonly sse: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined
	readonly kmsKeyId: string | undefined
	readonly objectLockMode: 'GOVERNANCE' | 'COMPLIANCE' | undefined
	readonly objectLockRetainDays: number | undefined
	readonly partBytes: number
	readonly timeoutMs: number
	/** From the environment; the SDK's chain when absent. */
	readonly credentials: Credentials | undefined
	/** Base64. */
	readonly customerKey: string | undefined
}

const PARAMETERS: readonly string[] = options.flatMap(({ parameter }) => (parameter === undefined ? [] : [parameter]))

/** The location for people: the known parameters alone, since another one, a user name or a fragment may be a secret. Never throws. */
export function redacted(location: URL): string {
	const shown = new URL(location)
	shown.username = ''
	shown.password = ''
	shown.hash = ''
	for (const name of new Set(shown.searchParams.keys())) {
		if (!PARAMETERS.includes(name)) shown.searchParams.delete(name)
		else if (name === 'endpoint') {
			const [value = '', ...others] = shown.searchParams.getAll(name)
			shown.searchParams.set(name, others.length > 0 ? '' : withoutUser(value))
		}
	}
	return shown.href.replaceAll(/%2F/gi, '/').replaceAll(/%3A/gi, ':')
}

/** An endpoint without what may be a secret in it. */
function withoutUser(endpoint: string): string {
	if (!URL.canParse(endpoint)) return ''
	const { protocol, host, pathname } = new URL(endpoint)
	return `${protocol}//${host}${pathname === '/' ? '' : pathname}`
}

/** Reads a location. Throws `LOCATION_INVALID` that says what is wrong with it, and names the nearest parameter to an unknown one. */
export function settingsOf(location: URL, environment: OpenContext['environment']): S3Settings {
	const refuse = (why: string, advice = 'write s3://bucket/prefix?region=…', cause?: unknown): BackupError =>
		new BackupError('LOCATION_INVALID', `${redacted(location)} cannot be used: ${why}`, { advice, cause })
	const parameters = parametersOf(location, refuse)
	const given = (name: string): string | undefined => {
		const { environment: variables = [] } = options.find(({ parameter }) => parameter === name)!
		const variable = variables.find((variable) => (environment[variable] ?? '') !== '')
		return parameters.get(name) ?? (variable === undefined ? undefined : environment[variable])
	}
	const chosen = <T extends string>(name: string, choices: readonly T[]): T | undefined => {
		const value = given(name)
		const choice = choices.find((choice) => choice.toLowerCase() === value?.toLowerCase())
		if (value !== undefined && choice === undefined) throw refuse(`${name} is none of ${choices.join(', ')}`)
		return choice
	}
	const whole = (name: string, from: number, to: number): number | undefined => {
		const value = given(name)
		if (value === undefined) return undefined
		if (!/^\d{1,6}$/.test(value) || Number(value) < from || Number(value) > to)
			throw refuse(`${name} is no whole number from ${from} to ${to}`)
		return Number(value)
	}
	const endpoint = endpointOf(given('endpoint'), refuse)
	const pathStyle = chosen('pathStyle', ['true', 'false'])
	const sse = chosen('sse', ['AES256', 'aws:kms', 'aws:kms:dsse'])
	const kmsKeyId = given('kmsKeyId')
	if (kmsKeyId !== undefined && (sse === undefined || sse === 'AES256')) throw refuse('kmsKeyId needs sse=aws:kms')
	const customerKey = environment['YDBACKUP_S3_CUSTOMER_KEY'] || undefined
	if (customerKey !== undefined && Buffer.from(customerKey, 'base64').length !== 32)
		throw refuse('YDBACKUP_S3_CUSTOMER_KEY is not 32 bytes in base64', 'make one with: openssl rand -base64 32')
	if (customerKey !== undefined && sse !== undefined)
		throw refuse('sse and YDBACKUP_S3_CUSTOMER_KEY exclude each other')
	const objectLockMode = chosen('objectLockMode', ['GOVERNANCE', 'COMPLIANCE'])
	const objectLockRetainDays = whole('objectLockRetainDays', 1, 36_500)
	if (objectLockRetainDays !== undefined && objectLockMode === undefined)
		throw refuse('objectLockRetainDays needs objectLockMode', 'add objectLockMode=GOVERNANCE, or COMPLIANCE')
	return {
		bucket: bucketOf(location, refuse),
		prefix: prefixOf(location, refuse),
		region: given('region') ?? (endpoint === undefined ? undefined : 'us-east-1'),
		endpoint,
		pathStyle: pathStyle === undefined ? endpoint !== undefined : pathStyle === 'true',
		profile: given('profile'),
		caFile: given('caFile'),
		storageClass: given('storageClass'),
		sse,
		kmsKeyId,
		objectLockMode,
		objectLockRetainDays,
		partBytes: (whole('partMiB', 5, 512) ?? 8) * MIB,
		timeoutMs: (whole('timeoutSeconds', 1, 600) ?? 60) * 1000,
		credentials: credentialsOf(environment, refuse),
		customerKey,
	}
}

type Refuse = (why: string, advice?: string, cause?: unknown) => BackupError

function parametersOf(location: URL, refuse: Refuse): Map<string, string> {
	if (location.protocol !== 's3:') throw refuse('its scheme is not s3')
	if (location.username !== '' || location.password !== '')
		throw refuse(
			'it has a user name or a password',
			'credentials come from the environment (AWS_ACCESS_KEY_ID, …) or from the default chain of the AWS SDK',
		)
	if (location.port !== '')
		throw refuse('it has a port', 'give the address of the store with ?endpoint=https://host:port')
	if (location.hash !== '') throw refuse('it has a fragment')
	const parameters = new Map<string, string>()
	for (const [name, value] of location.searchParams) {
		if (!PARAMETERS.includes(name))
			throw refuse(
				`it has a parameter that s3 does not know${/^[A-Za-z]{1,30}$/.test(name) ? `, ${name}` : ''}`,
				/secret|key|token|password/i.test(name) && name.toLowerCase() !== 'kmskeyid'
					? 'a secret has no place in a URL: give it in the environment, and replace it if others may have seen it'
					: takes(nearestOf(name, PARAMETERS)),
			)
		if (parameters.has(name)) throw refuse(`${name} is given twice`)
		if (value === '') throw refuse(`${name} is empty`)
		parameters.set(name, value)
	}
	return parameters
}

const takes = (meant: string | undefined): string =>
	`${meant ? `did you mean ${meant}? ` : ''}it takes ${PARAMETERS.join(', ')}`

function bucketOf(location: URL, refuse: Refuse): string {
	const { hostname: bucket } = location
	if (!/^[A-Za-z\d][A-Za-z\d._-]{1,253}[A-Za-z\d]$/.test(bucket))
		throw refuse(
			bucket === '' ? 'it names no bucket' : 'its bucket has a name that no bucket can have',
			'a bucket has 3 to 63 lower-case letters, digits, dots and hyphens: s3://bucket/prefix',
		)
	return bucket
}

function prefixOf(location: URL, refuse: Refuse): string {
	let path: string
	try {
		path = decodeURIComponent(location.pathname)
	} catch (error) {
		throw refuse('its path is not encoded as a URL', undefined, error)
	}
	const parts = path.replace(/^\/+|\/+$/g, '').split('/')
	if (parts.length === 1 && parts[0] === '') return ''
	// oxlint-disable-next-line no-control-regex -- such a prefix cannot be written in XML
	if (parts.some((part) => part === '' || part === '.' || part === '..' || /[\0-\x1f\x7f]/.test(part)))
		throw refuse('its path has an empty segment, one of dots, or a control character')
	const prefix = `${parts.join('/')}/`
	if (Buffer.byteLength(prefix) > 500) throw refuse('its path is longer than 500 bytes')
	return prefix
}

function endpointOf(text: string | undefined, refuse: Refuse): string | undefined {
	if (text === undefined) return undefined
	const advice = 'write it as https://host:port, and encode it when other parameters follow'
	if (!URL.canParse(text)) throw refuse('endpoint is no URL', advice)
	const { protocol, username, password, search, hash } = new URL(text)
	if (protocol !== 'http:' && protocol !== 'https:') throw refuse('endpoint is neither http nor https', advice)
	if (username !== '' || password !== '') throw refuse('endpoint has a user name or a password', advice)
	if (search !== '' || hash !== '') throw refuse('endpoint has parameters or a fragment', advice)
	return withoutUser(text)
}

function credentialsOf(environment: OpenContext['environment'], refuse: Refuse): Credentials | undefined {
	const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = environment
	const sessionToken = environment['AWS_SESSION_TOKEN'] ?? ''
	if ((accessKeyId === '') !== (secretAccessKey === ''))
		throw refuse(
			`${accessKeyId === '' ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY'} is not set`,
			'set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither',
		)
	if (accessKeyId === '') return undefined
	return { accessKeyId, secretAccessKey, ...(sessionToken !== '' && { sessionToken }) }
}
