import { fileURLToPath } from 'node:url'
import { BackupError } from '@ydbackup/core'

/** The directory of a `file:` URL. */
export function directoryOf(location: URL): string {
	const refuse = (why: string): BackupError =>
		new BackupError('LOCATION_INVALID', `${location.href} is no directory: ${why}`, {
			advice: 'write an absolute path, for example file:///srv/backups',
		})
	if (location.protocol !== 'file:') throw refuse('its scheme is not file')
	if (location.hostname !== '' && location.hostname !== 'localhost')
		throw refuse(`it names the host ${location.hostname}`)
	const [parameter] = location.searchParams.keys()
	if (parameter !== undefined) throw refuse(`file: takes no parameter, and it has ${parameter}`)
	if (location.hash !== '') throw refuse('it has a fragment')
	if (/%2f/i.test(location.pathname)) throw refuse('its path has an encoded slash')
	const path = fileURLToPath(location)
	if (path.includes('\0')) throw refuse('its path has a NUL byte')
	return path.length > 1 ? path.replace(/\/+$/, '') : path
}
