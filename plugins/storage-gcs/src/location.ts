import { BackupError, MAX_KEY_BYTES } from '@ydbackup/core'
import { nearestOf } from '@ydbackup/core/driver-kit'

const PARAMETERS = ['anonymous', 'endpoint', 'project', 'retention', 'timeout'] as const
type Parameter = (typeof PARAMETERS)[number]

export const GOOGLE = 'https://storage.googleapis.com'

/** Longest object name of the service, in bytes. */
const MAX_NAME = 1024
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/
const PROJECT = /^[a-z0-9][a-z0-9.:-]{2,62}$/
const LONGEST_TIMEOUT_S = 3600

/** What a location says; credentials are not among it. */
export interface Place {
	readonly bucket: string
	/** Empty, or ending with a slash. */
	readonly prefix: string
	/** The service, without a slash at its end. */
	readonly endpoint: string
	/** The project that pays for the requests, where the bucket wants that. */
	readonly project: string | undefined
	readonly anonymous: boolean
	readonly retention: 'Unlocked' | 'Locked'
	/** How long to wait without a byte moving. */
	readonly timeoutMs: number
	/** For people. */
	readonly shown: string
}

/** The location for people: bucket, prefix and the known parameters with values that hold no secret. */
export function redacted(location: URL): string {
	const query = PARAMETERS.flatMap((name) => {
		const value = location.searchParams.get(name)
		if (value === null) return []
		const isPlain = name === 'project' ? PROJECT.test(value) : /^[A-Za-z0-9]{1,24}$/.test(value)
		const shown = name === 'endpoint' ? bareUrl(value) : isPlain ? value : '…'
		return [`${name}=${shown}`]
	})
	return `${location.protocol}//${location.host}${location.pathname}${query.length > 0 ? `?${query.join('&')}` : ''}`
}

function bareUrl(text: string): string {
	if (!URL.canParse(text)) return '…'
	const { protocol, host, pathname } = new URL(text)
	return `${protocol}//${host}${pathname}`.replace(/\/+$/, '')
}

type Refuse = (why: string, advice?: string) => BackupError

/** Reads a location, or throws `LOCATION_INVALID`. */
export function placeOf(location: URL): Place {
	const shown = redacted(location)
	const refuse: Refuse = (why, advice = 'write gs://bucket/prefix, for example gs://backups/ydb') =>
		new BackupError('LOCATION_INVALID', `${shown}: ${why}`, { advice })
	if (location.protocol !== 'gs:') throw refuse('its scheme is not gs')
	if (location.username !== '' || location.password !== '')
		throw refuse(
			'credentials have no place in a URL',
			'set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account',
		)
	if (location.hash !== '') throw refuse('it has a fragment')
	if (location.port !== '') throw refuse('a bucket has no port', 'give the service with the parameter endpoint')
	checkParameters(location.searchParams, refuse)
	const bucket = location.hostname
	if (!BUCKET.test(bucket))
		throw refuse(
			bucket === '' ? 'it names no bucket' : `${JSON.stringify(bucket)} cannot be the name of a bucket`,
			'buckets have 3 or more lower-case letters, digits, dots, hyphens and underscores: gs://backups/ydb',
		)
	const parameter = (name: Parameter): string | undefined => location.searchParams.get(name) ?? undefined
	const project = parameter('project')
	if (project !== undefined && !PROJECT.test(project))
		throw refuse('its project cannot be the id of a project', 'projects have lower-case letters, digits and hyphens')
	const anonymous = oneOf('anonymous', parameter('anonymous'), { true: true, false: false }, refuse) ?? false
	return {
		bucket,
		prefix: prefixOf(location.pathname, refuse),
		endpoint: endpointOf(parameter('endpoint'), anonymous, refuse),
		project,
		anonymous,
		retention:
			oneOf('retention', parameter('retention'), { unlocked: 'Unlocked', locked: 'Locked' } as const, refuse) ??
			'Unlocked',
		timeoutMs: timeoutOf(parameter('timeout'), refuse),
		shown,
	}
}

function checkParameters(parameters: URLSearchParams, refuse: Refuse): void {
	for (const name of parameters.keys()) {
		if (!PARAMETERS.some((known) => known === name)) {
			const near = nearestOf(name, PARAMETERS)
			throw refuse(
				`${JSON.stringify(name.slice(0, 40))} is no parameter of gs:`,
				near ? `did you mean ${near}?` : `it takes ${PARAMETERS.join(', ')}`,
			)
		}
		if (parameters.getAll(name).length > 1) throw refuse(`it has the parameter ${name} twice`, 'write it once')
	}
}

function prefixOf(pathname: string, refuse: Refuse): string {
	let path: string
	try {
		path = decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '')
	} catch {
		throw refuse('its path is not encoded as a URL')
	}
	if (path === '') return ''
	if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
		throw refuse('its path has an empty, . or .. segment')
	// eslint-disable-next-line no-control-regex
	if (/[\u0000-\u001f\u007f]/.test(path)) throw refuse('its path has a control character')
	if (path.startsWith('.well-known/acme-challenge')) throw refuse('the service keeps this path for itself')
	if (Buffer.byteLength(path) + 1 + MAX_KEY_BYTES > MAX_NAME)
		throw refuse('its path is too long', `keep it below ${MAX_NAME - MAX_KEY_BYTES} bytes`)
	return `${path}/`
}

/** Whether the bytes to a host leave this machine. */
export function isLoopback(hostname: string): boolean {
	return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

function endpointOf(text: string | undefined, anonymous: boolean, refuse: Refuse): string {
	if (text === undefined) return GOOGLE
	const advice = 'write the URL of the service, for example endpoint=http://127.0.0.1:4443'
	if (!URL.canParse(text)) throw refuse('its endpoint is no URL', advice)
	const url = new URL(text)
	if (url.protocol !== 'https:' && url.protocol !== 'http:')
		throw refuse('its endpoint is neither https nor http', advice)
	if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
		throw refuse('its endpoint has more than a host and a path', advice)
	if (url.protocol === 'http:' && !anonymous && !isLoopback(url.hostname))
		throw refuse(
			'a token must not travel over http',
			'write https, or anonymous=true for an emulator that asks for no token',
		)
	return url.href.replace(/\/+$/, '')
}

function oneOf<T>(
	name: Parameter,
	value: string | undefined,
	choices: Readonly<Record<string, T>>,
	refuse: Refuse,
): T | undefined {
	if (value === undefined) return undefined
	if (!Object.hasOwn(choices, value))
		throw refuse(
			`its ${name} is none of ${Object.keys(choices).join(', ')}`,
			`write ${name}=${Object.keys(choices)[0]}`,
		)
	return choices[value]
}

function timeoutOf(text: string | undefined, refuse: Refuse): number {
	if (text === undefined) return 30_000
	const seconds = Number(text)
	if (!/^\d+(?:\.\d+)?$/.test(text) || seconds <= 0 || seconds > LONGEST_TIMEOUT_S)
		throw refuse('its timeout is no number of seconds', `write seconds, at most ${LONGEST_TIMEOUT_S}: timeout=30`)
	return seconds * 1000
}
