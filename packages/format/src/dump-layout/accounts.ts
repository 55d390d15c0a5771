import { BackupError } from '@ydbackup/core'

import type { StoredAccounts } from '../manifest/objects-file.ts'

/** The files of accounts in a database dump, by name, as bytes. Source: `BackupDatabaseImpl` in ydb/library/backup/backup.cpp. */
export type AccountFiles = Readonly<Record<'create_user.sql' | 'create_group.sql' | 'alter_group.sql', Uint8Array>>

type NamedAccounts = Pick<StoredAccounts, 'users' | 'groups'>

/** What YDB's own dump writes users and groups of; all others it leaves out. */
const PLAIN_NAME = /^[a-z0-9]+$/u

/** Users and groups that such a dump cannot hold. */
export function unwritableAccounts({ users, groups }: NamedAccounts): string[] {
	return [...users, ...groups].map(({ name }) => name).filter((name) => !PLAIN_NAME.test(name))
}

/** One statement a line: YDB's restore splits at the ends of lines. */
export function writeAccounts({ users, groups }: NamedAccounts): AccountFiles {
	const isPlain = ({ name }: { readonly name: string }): boolean => PLAIN_NAME.test(name)
	const lines = (statements: readonly string[]): Uint8Array =>
		Buffer.from(statements.map((line) => `${line}\n`).join(''))
	return {
		'create_user.sql': lines(
			users
				.filter(isPlain)
				.flatMap(({ name, passwordHash, mayLogIn }) => [
					`CREATE USER ${quoted(name, '`')}${passwordHash === '' ? '' : ` HASH ${quoted(passwordHash, "'")}`};`,
					...(mayLogIn ? [] : [`ALTER USER ${quoted(name, '`')} NOLOGIN;`]),
				]),
		),
		'create_group.sql': lines(groups.filter(isPlain).map(({ name }) => `CREATE GROUP ${quoted(name, '`')};`)),
		'alter_group.sql': lines(
			groups.flatMap(({ name, members }) =>
				members.map((member) => `ALTER GROUP ${quoted(name, '`')} ADD USER ${quoted(member, '`')};`),
			),
		),
	}
}

const NAME = '`((?:[^`\\\\\\n]|\\\\.)+)`'
const CREATE_USER = new RegExp(`^CREATE USER ${NAME}(?: HASH '((?:[^'\\\\\\n]|\\\\.)*)')?;$`, 'u')
const NO_LOGIN = new RegExp(`^ALTER USER ${NAME} NOLOGIN;$`, 'u')
const CREATE_GROUP = new RegExp(`^CREATE GROUP ${NAME};$`, 'u')
const ADD_USER = new RegExp(`^ALTER GROUP ${NAME} ADD USER ${NAME};$`, 'u')

/**
 * Reads such files. Only statements that YDB's dump writes are taken, and nothing of them is carried out as it stands. Errors:
 * `FORMAT_INVALID` naming file and line, and never what the line says: it may hold a hash.
 */
export function readAccounts(files: Partial<AccountFiles>): NamedAccounts {
	const users = new Map<string, { name: string; passwordHash: string; mayLogIn: boolean }>()
	const groups = new Map<string, Set<string>>()
	for (const [name, bytes] of Object.entries(files)) {
		for (const [at, line] of Buffer.from(bytes).toString('utf8').split(/\r?\n/u).entries()) {
			if (line.trim() !== '' && !readLine(line.trim(), users, groups)) {
				throw new BackupError('FORMAT_INVALID', `${name}:${at + 1} is no statement that a dump of YDB has`, {
					advice: 'restore without accounts, and create these by hand',
				})
			}
		}
	}
	return {
		users: Array.from(users.values()),
		groups: Array.from(groups, ([name, members]) => ({ name, members: Array.from(members) })),
	}
}

function readLine(
	line: string,
	users: Map<string, { name: string; passwordHash: string; mayLogIn: boolean }>,
	groups: Map<string, Set<string>>,
): boolean {
	const user = CREATE_USER.exec(line)
	if (user?.[1] !== undefined) {
		const name = plain(user[1])
		users.set(name, { name, passwordHash: plain(user[2] ?? ''), mayLogIn: true })
		return true
	}
	const silent = users.get(plain(NO_LOGIN.exec(line)?.[1] ?? ''))
	if (silent !== undefined) {
		silent.mayLogIn = false
		return true
	}
	const group = CREATE_GROUP.exec(line)?.[1]
	if (group !== undefined) {
		if (!groups.has(plain(group))) groups.set(plain(group), new Set())
		return true
	}
	const [, to, member] = ADD_USER.exec(line) ?? []
	if (to === undefined || member === undefined) return false
	groups.set(plain(to), (groups.get(plain(to)) ?? new Set()).add(plain(member)))
	return true
}

function quoted(text: string, sign: string): string {
	return `${sign}${text.replaceAll('\\', '\\\\').replaceAll(sign, `\\${sign}`)}${sign}`
}

function plain(text: string): string {
	return text.replaceAll(/\\(.)/gu, '$1')
}
