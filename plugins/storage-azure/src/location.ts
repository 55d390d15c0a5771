import { BackupError, MAX_KEY_BYTES } from '@ydbackup/core'
import { nearestOf } from '@ydbackup/core/driver-kit'

const PARAMETERS = ['account', 'endpoint', 'immutability', 'tier', 'timeout'] as const
type Parameter = (typeof PARAMETERS)[number]

/** Longest blob name of the service, in characters. */
const MAX_NAME = 1024
const CONTAINER = /^(?:\$root|\$web|[a-z0-9](?:-?[a-z0-9]){2,62})$/
const ACCOUNT = /^[a-z0-9]{3,24}$/
const LONGEST_TIMEOUT_S = 3600

/** What a location says; credentials are not among it. */
export interface Place {
	readonly container: string
	/** Empty, or ending with a slash. */
	readonly prefix: string
	readonly account: string | undefined
	/** The blob service, without a slash at its end. */
	readonly endpoint: string | undefined
	readonly immutability: 'Unlocked' | 'Locked' | undefined
	readonly tier: 'Hot' | 'Cool' | 'Cold' | undefined
	/** How long to wait for an answer, or for the next bytes of one. */
	readonly timeoutMs: number
	/** For people. */
	readonly shown: string
}

/** The location for people: container, prefix and the known parameters with values that hold no secret. */
export function redacted(location: URL): string {
	const query = PARAMETERS.flatMap((name) => {
		const value = location.searchParams.get(name)
		if (value === null) return []
		const shown = name === 'endpoint' ? bareUrl(value) : /^[A-Za-z0-9.]{1,24}$/.test(value) ? value : '…'
		return [`${name}=${shown}`]
	})
	return `${location.protocol}//${location.host}${location.pathname}${query.length > 0 ? `?${query.join('&')}` : ''}`
}

function bareUrl(text: string): string {
	if (!URL.canParse(text)) return '…'
	const { protocol, host, pathname } = new URL(text)
	return `${protocol}//${host}${pathname}`.replace(/\/+$/, '')
}

/** Reads a location, or throws `LOCATION_INVALID`. */
export function placeOf(location: URL): Place {
	const shown = redacted(location)
	const refuse = (why: string, advice?: string): BackupError =>
		new BackupError('LOCATION_INVALID', `${shown}: ${why}`, {
			advice: advice ?? 'write az://container/prefix?account=name, for example az://backups/ydb?account=mystorage',
		})
	if (location.username !== '' || location.password !== '')
		throw refuse(
			'credentials have no place in a URL',
			'set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN',
		)
	if (location.hash !== '') throw refuse('it has a fragment')
	if (location.port !== '') throw refuse('a container has no port', 'give the service with the parameter endpoint')
	checkParameters(location.searchParams, refuse)
	const container = location.hostname
	if (!CONTAINER.test(container) || container.length > 63)
		throw refuse(
			container === '' ? 'it names no container' : `${JSON.stringify(container)} cannot be the name of a container`,
			'containers have 3 to 63 lower-case letters, digits and single hyphens: az://backups/ydb?account=mystorage',
		)
	const parameter = (name: Parameter): string | undefined => location.searchParams.get(name) ?? undefined
	const account = parameter('account')
	if (account !== undefined && !ACCOUNT.test(account))
		throw refuse(
			'its account cannot be the name of a storage account',
			'accounts have 3 to 24 lower-case letters and digits',
		)
	const endpoint = parameter('endpoint')
	return {
		container,
		prefix: prefixOf(location.pathname, refuse),
		account,
		endpoint: endpoint === undefined ? undefined : serviceUrl(endpoint, refuse),
		immutability: oneOf('immutability', parameter('immutability'), { unlocked: 'Unlocked', locked: 'Locked' }, refuse),
		tier: oneOf('tier', parameter('tier'), { hot: 'Hot', cool: 'Cool', cold: 'Cold' }, refuse),
		timeoutMs: timeoutOf(parameter('timeout'), refuse),
		shown,
	}
}

type Refuse = (why: string, advice?: string) => BackupError

/** What a shared access signature is made of: whoever pastes one into a URL meant it. */
const SIGNATURE_PARTS: ReadonlySet<string> = new Set([
	'sig',
	'sv',
	'se',
	'sp',
	'sr',
	'ss',
	'srt',
	'spr',
	'st',
	'sip',
	'si',
])

function checkParameters(parameters: URLSearchParams, refuse: Refuse): void {
	for (const name of parameters.keys()) {
		if (SIGNATURE_PARTS.has(name))
			throw refuse('a shared access signature has no place in a URL', 'set AZURE_STORAGE_SAS_TOKEN')
		if (!PARAMETERS.some((known) => known === name)) {
			const near = nearestOf(name, PARAMETERS)
			throw refuse(
				`${JSON.stringify(name.slice(0, 40))} is no parameter of az:`,
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
	const parts = path.split('/')
	if (parts.some((part) => part === '' || part === '.' || part === '..'))
		throw refuse('its path has an empty, . or .. segment')
	// eslint-disable-next-line no-control-regex
	if (/[\u0000-\u001f\u007f\\]/.test(path)) throw refuse('its path has a backslash or a control character')
	if (parts.some((part) => part.endsWith('.')))
		throw refuse('a segment of its path ends with a dot, which the service drops')
	if (path.length + 1 + MAX_KEY_BYTES > MAX_NAME)
		throw refuse('its path is too long', `keep it below ${MAX_NAME - MAX_KEY_BYTES} characters`)
	return `${path}/`
}

/** Checks the address of a blob service and drops slashes at its end. */
export function serviceUrl(text: string, refuse: Refuse): string {
	const advice = 'write the URL of the blob service, for example https://mystorage.blob.core.windows.net'
	if (!URL.canParse(text)) throw refuse('its endpoint is no URL', advice)
	const url = new URL(text)
	if (url.protocol !== 'https:' && url.protocol !== 'http:')
		throw refuse('its endpoint is neither https nor http', advice)
	if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
		throw refuse('its endpoint has more than a host and a path', advice)
	return bareUrl(text)
}

function oneOf<T>(
	name: Parameter,
	value: string | undefined,
	known: Readonly<Record<string, T>>,
	refuse: Refuse,
): T | undefined {
	if (value === undefined) return undefined
	const found = Object.hasOwn(known, value) ? known[value] : undefined
	if (found === undefined)
		throw refuse(`its ${name} is not known`, `${name} is one of ${Object.keys(known).join(', ')}`)
	return found
}

function timeoutOf(value: string | undefined, refuse: Refuse): number {
	if (value === undefined) return 30_000
	const seconds = Number(value)
	if (value === '' || !(seconds > 0 && seconds <= LONGEST_TIMEOUT_S))
		throw refuse('its timeout is no number of seconds', `write seconds above 0 and up to ${LONGEST_TIMEOUT_S}`)
	return Math.ceil(seconds * 1000)
}
