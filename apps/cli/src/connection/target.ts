import { BackupError } from '@ydbackup/core'
import type { ConnectionFlags } from './connection-flags.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Target {
	/** `grpc://host:port` or `grpcs://host:port`. */
	readonly endpoint: string
	readonly database: string
}

/** The port and protocol that the `ydb` CLI takes when none is given. */
const DEFAULT_PORT = 2135

/**
 * Which database is meant. Flags win over the environment; within each a connection string and its parts must not
 * contradict each other: a restore into the wrong database cannot be taken back.
 */
export function targetOf(flags: ConnectionFlags, environment: Environment): Target {
	if (flags.db !== undefined && (flags.endpoint !== undefined || flags.database !== undefined))
		throw refuse(
			'--db names the database together with --endpoint or --database',
			'give either --db, or --endpoint and --database',
		)
	const { db } = flags
	if (db !== undefined) return parseConnection(db, '--db')
	const { YDB_CONNECTION_STRING: string, YDB_ENDPOINT: endpoint, YDB_DATABASE: database } = filled(environment)
	const fromString = string === undefined ? undefined : parseConnection(string, 'YDB_CONNECTION_STRING')
	const fromParts = {
		endpoint: endpoint === undefined ? undefined : parseEndpoint(endpoint, 'YDB_ENDPOINT'),
		database: database === undefined ? undefined : parseDatabase(database, 'YDB_DATABASE'),
	}
	const given = {
		endpoint: flags.endpoint === undefined ? undefined : parseEndpoint(flags.endpoint, '--endpoint'),
		database: flags.database === undefined ? undefined : parseDatabase(flags.database, '--database'),
	}
	for (const part of ['endpoint', 'database'] as const)
		if (
			given[part] === undefined &&
			fromString &&
			fromParts[part] !== undefined &&
			fromParts[part] !== fromString[part]
		)
			throw refuse(
				`the environment names two ${part}s: ${fromString[part]} in YDB_CONNECTION_STRING and ${fromParts[part]} in YDB_${part.toUpperCase()}`,
				`unset one of them, or give --${part}`,
			)
	return {
		endpoint: given.endpoint ?? fromString?.endpoint ?? fromParts.endpoint ?? missing('endpoint'),
		database: given.database ?? fromString?.database ?? fromParts.database ?? missing('database'),
	}
}

/** Whether any database is meant at all. */
export function namesTarget({ db, endpoint, database }: ConnectionFlags, environment: Environment): boolean {
	const { YDB_CONNECTION_STRING: string, YDB_ENDPOINT, YDB_DATABASE } = filled(environment)
	return [db, endpoint, database, string, YDB_ENDPOINT, YDB_DATABASE].some((part) => part !== undefined)
}

/** Empty variables count as not set, as shells and container files write them. */
function filled(environment: Environment): Environment {
	return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
}

function missing(part: 'endpoint' | 'database'): never {
	throw refuse(
		`no ${part} is given`,
		`give --${part} (or YDB_${part.toUpperCase()}), or a connection string with --db (or YDB_CONNECTION_STRING)`,
	)
}

function parseUrl(text: string, where: string): URL {
	const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `grpcs://${text}`)
	const advice = 'write it as grpc://host:port, or grpcs://host:port with TLS'
	// The text is not repeated before it is known to hold no password.
	if (url === null) throw refuse(`${where} is not an address`, advice)
	if (url.username !== '' || url.password !== '')
		throw refuse(`${where} holds a user name or password`, 'give --user and --password-file instead')
	if (url.protocol !== 'grpc:' && url.protocol !== 'grpcs:')
		throw refuse(`${where} has the protocol ${url.protocol.slice(0, -1)}`, advice)
	if (url.hostname === '') throw refuse(`${where} names no host`, advice)
	return url
}

const addressOf = (url: URL): string => `${url.protocol}//${url.hostname}:${url.port || DEFAULT_PORT}`

function parseEndpoint(text: string, where: string): string {
	const url = parseUrl(text, where)
	if (url.pathname !== '' && url.pathname !== '/')
		throw refuse(`${where} names a path: ${url.pathname}`, `give the database with --database, or use --db for both`)
	return addressOf(url)
}

function parseDatabase(text: string, where: string): string {
	const path = text.replace(/\/+$/, '')
	if (path === '') throw refuse(`${where} is not a path of a database`, 'write it as /local or /region/folder/database')
	return path.startsWith('/') ? path : `/${path}`
}

function parseConnection(text: string, where: string): Target {
	const url = parseUrl(text, where)
	const database = url.searchParams.get('database') ?? decode(url.pathname, where)
	if (database === '' || database === '/')
		throw refuse(`${where} names no database`, 'write it as grpc://host:port/path/of/database')
	return { endpoint: addressOf(url), database: parseDatabase(database, where) }
}

function decode(path: string, where: string): string {
	try {
		return decodeURIComponent(path)
	} catch (cause) {
		throw new BackupError('CONFIG_INVALID', `${where} has a path with a broken % sequence`, { cause })
	}
}

function refuse(message: string, advice: string): BackupError {
	return new BackupError('CONFIG_INVALID', message, { advice })
}
