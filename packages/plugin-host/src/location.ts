import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BackupError } from '@ydbackup/core'

const SECRET_PARAMETER =
	/secret|password|passwd|passphrase|pwd|token|credential|authorization|signature|^sig$|^sas|(access|account|api|private)[-_]?key|^key$/i

/**
 * What a person writes for a repository, as a URL: a path (absolute or relative to `cwd`) becomes a `file:` URL; a URL is checked for what
 * must not be in it. Errors: `LOCATION_INVALID`; `CONFIG_INVALID` for credentials, which are not repeated in the message.
 */
export function locationToUrl(text: string, cwd: string = process.cwd()): URL {
	const advice = 'write a directory such as /srv/backups, or a URL such as s3://bucket/prefix'
	if (text.trim() === '' || text.includes('\0'))
		throw new BackupError('LOCATION_INVALID', 'the repository is empty or has a NUL byte', { advice })
	// A shell leaves it as it is inside of quotes and behind `--repo=`; a directory of that name is a trap.
	if (/^~(\/|$)/.test(text))
		throw new BackupError('LOCATION_INVALID', 'the repository begins with ~, which the shell did not replace', {
			advice: 'write the whole path, or $HOME in its place',
		})
	if (!/^[A-Za-z][A-Za-z0-9+.-]+:/.test(text)) return pathToFileURL(resolve(cwd, text))
	let url: URL
	try {
		url = new URL(text)
	} catch (error) {
		throw new BackupError('LOCATION_INVALID', 'the repository is neither a path nor a URL', {
			advice,
			cause: error instanceof Error ? error.name : undefined,
		})
	}
	if (!text.slice(url.protocol.length).startsWith('//'))
		throw new BackupError('LOCATION_INVALID', `after ${url.protocol} the repository URL needs //`, { advice })
	if (url.username !== '' || url.password !== '')
		throw new BackupError('CONFIG_INVALID', `the repository URL (${url.protocol}//…) has credentials in it`, {
			advice: 'take them out of the URL and give them by the environment: URLs end up in logs',
		})
	for (const name of url.searchParams.keys())
		if (SECRET_PARAMETER.test(name))
			throw new BackupError(
				'CONFIG_INVALID',
				`the repository URL (${url.protocol}//…) has the secret parameter ${name}`,
				{
					advice: 'take it out of the URL and give it by the environment: URLs end up in logs',
				},
			)
	return url
}
