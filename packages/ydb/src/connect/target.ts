import { BackupError } from '@ydbackup/core'

/** Which database, and where. */
export interface Target {
	/** For example `grpc://localhost:2136`; `grpcs:` for TLS. */
	readonly endpoint: string
	/** For example `/local`. */
	readonly database: string
}

const advice = 'write for example grpc://localhost:2136/local, or grpcs:// for TLS'

function invalid(text: string, why: string): BackupError {
	// Whatever stands before an @ may be a password.
	const shown = JSON.stringify(text.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@'))
	return new BackupError('CONFIG_INVALID', `${shown} is no YDB connection string: ${why}`, { advice })
}

/** Checks an endpoint and spells it in full: scheme, host and port. */
export function normalEndpoint(text: string): string {
	const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `grpc://${text}`
	let url: URL
	try {
		url = new URL(withScheme.replace(/^grpc/i, 'http'))
	} catch {
		throw invalid(text, 'it cannot be parsed')
	}
	if (!/^(grpcs?|https?):\/\//i.test(withScheme)) throw invalid(text, 'its scheme is neither grpc nor grpcs')
	if (url.username !== '' || url.password !== '')
		throw new BackupError('CONFIG_INVALID', 'the endpoint has credentials in it', {
			advice: 'give them with --user and --password-file',
		})
	const secure = /^(grpcs|https):/i.test(withScheme)
	return `${secure ? 'grpcs' : 'grpc'}://${url.hostname}:${url.port || (secure ? '2135' : '2136')}`
}

/** The path of a database with one slash before each name and none behind. */
export function normalDatabase(text: string): string {
	const names = text.split('/').filter((name) => name !== '')
	if (names.length === 0)
		throw new BackupError('CONFIG_INVALID', 'the path of the database is empty', {
			advice: 'give for example --database /local',
		})
	return `/${names.join('/')}`
}

/** Takes apart `grpc://host:port/path/of/database` or `grpc://host:port/?database=/path`. Errors: `CONFIG_INVALID`. */
export function parseConnectionString(text: string): Target {
	const found = /^([a-z]+:\/\/[^/?#]+)([^?#]*)(?:\?([^#]*))?$/i.exec(text.trim())
	if (!found) throw invalid(text, 'it has no host')
	let database: string
	try {
		database = new URLSearchParams(found[3] ?? '').get('database') ?? decodeURIComponent(found[2] ?? '')
	} catch {
		throw invalid(text, 'its path cannot be decoded')
	}
	if (database === '' || database === '/') throw invalid(text, 'it names no database')
	return { endpoint: normalEndpoint(found[1]!), database: normalDatabase(database) }
}
