import { BackupError } from '@ydbackup/core'

/** Whether a path, relative to a database, names something below it: no empty, `.` or `..` segment, no NUL. */
export function isObjectPath(path: string): boolean {
	if (path.length === 0 || path.length > 16_384 || path.includes('\0')) return false
	return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/** The directories above a path, the outermost first; the database itself is left out. */
export function ancestorsOf(path: string): string[] {
	const segments = path.split('/')
	return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'))
}

/** Whether `path` is `top` or lies below it. Everything lies below the empty path. */
export function isWithin(path: string, top: string): boolean {
	return top === '' || path === top || path.startsWith(`${top}/`)
}

/** A path a person gave, absolute (`/local/dir`) or relative (`dir`), made relative to the database. The database itself is empty. */
export function relativePath(given: string, database: string, what: string): string {
	const root = trimSlashes(database)
	const bare = trimSlashes(given)
	let path = bare
	if (given.startsWith('/')) {
		if (bare !== root && !bare.startsWith(`${root}/`)) {
			throw new BackupError('CONFIG_INVALID', `${what} ${given} is not in the database ${database}`, {
				advice: `give a path below ${database}, or one without a leading slash, which is relative to the database`,
			})
		}
		path = bare.slice(root.length + 1)
	}
	if (path !== '' && !isObjectPath(path)) {
		throw new BackupError('CONFIG_INVALID', `${what} ${JSON.stringify(given)} is not a path`, {
			advice: 'a path has names divided by single slashes, without . and ..',
		})
	}
	return path
}

/** Orders paths by their UTF-8 bytes, so that every run numbers the same objects alike. */
export function comparePaths(a: string, b: string): number {
	return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function trimSlashes(path: string): string {
	return path.replace(/^\/+|\/+$/gu, '')
}
