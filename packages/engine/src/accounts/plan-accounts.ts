import type { Accounts, UserAccount } from '@ydbackup/core'

export interface RestoredAccount {
	readonly name: string
	readonly action: 'create' | 'exists'
}

export interface RestoredAccounts {
	/** Those that exist keep their passwords and whether they may log in. */
	readonly users: readonly RestoredAccount[]
	readonly groups: readonly RestoredAccount[]
	/** Memberships that are added, also to groups that exist. */
	readonly members: number
}

export interface AccountPlan {
	readonly users: readonly UserAccount[]
	/** Names. */
	readonly groups: readonly string[]
	readonly members: readonly (readonly [group: string, member: string])[]
	readonly result: RestoredAccounts
}

/** What is missing of the accounts of a backup. Nobody who exists is changed or removed. */
export function planAccounts(wanted: Accounts, live: Accounts): AccountPlan {
	const names = new Set(live.users.map(({ name }) => name))
	const groups = new Map(live.groups.map(({ name, members }) => [name, new Set(members)]))
	const actionOf = (name: string, exists: boolean): RestoredAccount => ({ name, action: exists ? 'exists' : 'create' })
	const members = wanted.groups.flatMap(({ name, members: all }) =>
		all.filter((member) => groups.get(name)?.has(member) !== true).map((member) => [name, member] as const),
	)
	return {
		users: wanted.users.filter(({ name }) => !names.has(name)),
		groups: wanted.groups.map(({ name }) => name).filter((name) => !groups.has(name)),
		members,
		result: {
			users: wanted.users.map(({ name }) => actionOf(name, names.has(name))),
			groups: wanted.groups.map(({ name }) => actionOf(name, groups.has(name))),
			members: members.length,
		},
	}
}
