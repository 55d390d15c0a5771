import { fileURLToPath } from 'node:url'
import { BackupError } from '@ydbackup/core'

/** The location for people: what has no place in a `file:` URL may be a secret. */
export function redacted(location: URL): string {
	const shown = new URL(location)
	shown.username = ''
	shown.password = ''
	shown.search = ''
	shown.hash = ''
	return shown.href
}

/** The directory of a `file:` URL. */
export function directoryOf(location: URL): string {
	const refuse = (why: string, cause?: unknown): BackupError =>
		new BackupError('LOCATION_INVALID', `${redacted(location)} is no directory: ${why}`, {
			advice: 'write an absolute path, for example file:///srv/backups',
			cause,
		})
	if (location.protocol !== 'file:') throw refuse('its scheme is not file')
	if (location.hostname !== '' && location.hostname !== 'localhost')
		throw refuse(`it names the host ${location.hostname}`)
	const [parameter] = location.searchParams.keys()
	if (parameter !== undefined) throw refuse(`file: takes no parameter, and it has ${parameter}`)
	if (location.hash !== '') throw refuse('it has a fragment')
	if (/%2f/i.test(location.pathname)) throw refuse('its path has an encoded slash')
	let path: string
	try {
		path = fileURLToPath(location)
	} catch (error) {
		throw refuse('its path is not encoded as a URL', error)
	}
	if (path.includes('\0')) throw refuse('its path has a NUL byte')
	return path.replace(/(?<=.)\/+$/, '')
}
