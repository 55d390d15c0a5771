import type { Value } from '@ydbjs/api/value'
import type { Driver } from '@ydbjs/core'
import {
	type AccountAdmin,
	BackupError,
	type CallOptions,
	isBackupError,
	type SnapshotSink,
	type UserAccount,
} from '@ydbackup/core'
import { query, quotePath } from '../call/query.ts'
import type { IsDone } from '../call/settle.ts'
import { quoteText } from './quote-text.ts'

/** Rows of a view that are asked for at once. */
const PAGE = 1000

export interface AccountContext {
	readonly control: Driver
	readonly database: string
	readonly sink: Pick<SnapshotSink, 'find' | 'setPermissions'>
}

/** Accounts through queries: system views tell them, statements change them. Source: `BackupDatabaseImpl` in ydb/library/backup/backup.cpp. */
export function createAccountAdmin({ control, database, sink }: AccountContext): AccountAdmin {
	/** `key` tells every row from every other one. */
	async function view(
		name: string,
		key: readonly string[],
		others: readonly string[],
		{ signal }: CallOptions,
	): Promise<Value[]> {
		const from = quotePath(`${database}/.sys/${name}`)
		const text = `SELECT ${[...key, ...others].join(', ')} FROM ${from} ORDER BY ${key.join(', ')}`
		const doing = `read the accounts of ${database}`
		const rows: Value[] = []
		try {
			// Pages, because servers cut results.
			for (let offset = 0; ; offset += PAGE) {
				const page = await query(control, `${text} LIMIT ${PAGE} OFFSET ${offset};`, { doing, signal })
				rows.push(...page)
				if (page.length < PAGE) return rows
			}
		} catch (error) {
			if (!isBackupError(error) || error.code === 'INTERRUPTED' || error.code === 'DATABASE_UNREACHABLE') throw error
			throw new BackupError('DATABASE_PERMISSION', error.message, {
				advice:
					'only administrators of the database may read users, groups and hashes of passwords; connect as one, or leave accounts out',
				cause: error,
			})
		}
	}

	async function change(text: string, doing: string, { signal }: CallOptions, isDone: IsDone): Promise<void> {
		await query(control, text, { doing, signal, meanings: {}, isDone })
	}

	/** Whether a row of a view is there already. */
	const has =
		(name: string, key: readonly string[], values: readonly string[], options: CallOptions): IsDone =>
		async () =>
			(await view(name, key, [], options)).some((row) => values.every((value, at) => textOf(row, at) === value))

	return {
		async read(options = {}) {
			const users = await view('auth_users', ['Sid'], ['IsEnabled', 'PasswordHash'], options)
			const groups = await view('auth_groups', ['Sid'], [], options)
			const members = await view('auth_group_members', ['GroupSid', 'MemberSid'], [], options)
			const byGroup = Map.groupBy(members, (row) => textOf(row, 0))
			const root = await sink.find('', options)
			return {
				users: users.map((row) => ({
					name: textOf(row, 0),
					mayLogIn: row.items[1]?.value.value !== false,
					passwordHash: textOf(row, 2),
				})),
				groups: groups.map((row) => ({
					name: textOf(row, 0),
					members: (byGroup.get(textOf(row, 0)) ?? []).map((member) => textOf(member, 1)).toSorted(),
				})),
				permissions: root?.permissions ?? [],
			}
		},
		async createUser({ name, passwordHash, mayLogIn }: UserAccount, options = {}) {
			const hash = passwordHash === '' ? '' : ` HASH ${quoteText(passwordHash)}`
			await change(
				`CREATE USER ${quotePath(name)}${hash}${mayLogIn ? '' : ' NOLOGIN'};`,
				`create user ${name}`,
				options,
				has('auth_users', ['Sid'], [name], options),
			)
		},
		createGroup: (name, options = {}) =>
			change(
				`CREATE GROUP ${quotePath(name)};`,
				`create group ${name}`,
				options,
				has('auth_groups', ['Sid'], [name], options),
			),
		addMember: (group, member, options = {}) =>
			change(
				`ALTER GROUP ${quotePath(group)} ADD USER ${quotePath(member)};`,
				`add ${member} to group ${group}`,
				options,
				has('auth_group_members', ['GroupSid', 'MemberSid'], [group, member], options),
			),
		setPermissions: (permissions, options) => sink.setPermissions('', permissions, options),
	}
}

function textOf({ items }: Value, at: number): string {
	const value = items[at]?.value
	return value?.case === 'textValue' ? value.value : ''
}
