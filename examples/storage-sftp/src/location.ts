import { BackupError, type OpenContext } from '@ydbackup/core'
import { nearestOf } from '@ydbackup/core/driver-kit'
import { options } from './options.ts'

/** What a location and the environment say together. */
export interface SftpSettings {
	/** For people: without anything secret. */
	readonly shown: string
	readonly host: string
	readonly port: number
	readonly user: string
	/** An absolute path; or one relative to the directory of the login, when the location began with `/~`. */
	readonly path: string
	readonly hostKey: string | undefined
	readonly knownHosts: string | undefined
	readonly identityFile: string | undefined
	readonly passphrase: string | undefined
	readonly password: string | undefined
	readonly agent: string | undefined
}

const PARAMETERS: readonly string[] = options.flatMap(({ parameter }) => parameter ?? [])
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}=?$/

/** The location for people: the known parameters alone, since anything else may be a secret. Never throws. */
export function redacted(location: URL): string {
	const shown = new URL(location)
	shown.username = ''
	shown.password = ''
	shown.hash = ''
	for (const name of new Set(shown.searchParams.keys())) if (!PARAMETERS.includes(name)) shown.searchParams.delete(name)
	return shown.href
}

/** Reads a location. Throws `LOCATION_INVALID` or `CONFIG_INVALID`, saying what to write. */
export function settingsOf(location: URL, environment: OpenContext['environment']): SftpSettings {
	const refuse = (why: string, advice = 'write sftp://host/path?user=…'): BackupError =>
		new BackupError('LOCATION_INVALID', `${redacted(location)} cannot be used: ${why}`, { advice })
	if (location.protocol !== 'sftp:') throw refuse('its scheme is not sftp')
	if (location.hostname === '') throw refuse('it names no host')
	if (location.password !== '' || location.username !== '')
		throw refuse('it has a user in front of the host', 'write ?user=…; a password belongs to YDBACKUP_SFTP_PASSWORD')
	if (location.hash !== '') throw refuse('it has a fragment')
	for (const name of location.searchParams.keys()) {
		if (!PARAMETERS.includes(name)) {
			const near = nearestOf(name, PARAMETERS)
			throw refuse(
				`it has no parameter ${name}`,
				`${near ? `did you mean ${near}? ` : ''}it takes ${PARAMETERS.join(', ')}`,
			)
		}
		if (location.searchParams.getAll(name).length > 1) throw refuse(`it has the parameter ${name} twice`)
	}
	const variable = (name: string): string | undefined => environment[name] || undefined
	const given = (name: string): string | undefined => {
		const { environment: variables = [] } = options.find(({ parameter }) => parameter === name)!
		return location.searchParams.get(name) || variables.map(variable).find((value) => value !== undefined)
	}
	const user = given('user')
	if (user === undefined) throw refuse('it names no user', 'add ?user=…, or set YDBACKUP_SFTP_USER')
	// A plus sign that nobody encoded is a space in a query; no fingerprint has one.
	const hostKey = given('hostKey')?.replaceAll(' ', '+')
	if (hostKey !== undefined && !FINGERPRINT.test(hostKey))
		throw refuse(
			'its hostKey is no fingerprint SHA256:…',
			'ask the administrator of the server, or run ssh-keygen -lf on its key',
		)
	const home = variable('HOME')
	return {
		shown: bare(location),
		host: location.hostname.replace(/^\[(.*)\]$/, '$1'),
		port: location.port === '' ? 22 : Number(location.port),
		user,
		path: pathOf(location, refuse),
		hostKey: hostKey?.replace(/=$/, ''),
		knownHosts: given('knownHosts') ?? (home === undefined ? undefined : `${home}/.ssh/known_hosts`),
		identityFile: given('identityFile'),
		passphrase: variable('YDBACKUP_SFTP_PASSPHRASE'),
		password: variable('YDBACKUP_SFTP_PASSWORD'),
		agent: variable('SSH_AUTH_SOCK'),
	}
}

function bare(location: URL): string {
	const shown = new URL(location)
	shown.search = ''
	return redacted(shown)
}

function pathOf(location: URL, refuse: (why: string) => BackupError): string {
	if (/%2f|%00/i.test(location.pathname)) throw refuse('its path has an encoded slash or NUL')
	let path: string
	try {
		path = decodeURIComponent(location.pathname)
	} catch {
		throw refuse('its path is not encoded as a URL')
	}
	const clean = path.replaceAll(/\/{2,}/g, '/').replace(/\/$/, '')
	if (clean === '') throw refuse('it names no directory')
	return clean === '/~' ? '.' : clean.replace(/^\/~\//, '')
}
