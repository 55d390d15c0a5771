import type { ProtoText } from '../model/proto-text.ts'
import type { CallOptions } from '../storage/storage.ts'

export interface UserAccount {
	readonly name: string
	/** What the server keeps of the password, as it tells it; empty for a user without one. A secret. */
	readonly passwordHash: string
	readonly mayLogIn: boolean
}

export interface GroupAccount {
	readonly name: string
	/** Users and groups. */
	readonly members: readonly string[]
}

/** Who may use a database. */
export interface Accounts {
	readonly users: readonly UserAccount[]
	readonly groups: readonly GroupAccount[]
	/** Owner and grants of the database itself, as {@link SourceObject.permissions}. */
	readonly permissions: ProtoText
}

/** Users, groups and memberships of one database. All of it is read and changed live. */
export interface AccountAdmin {
	/** Errors: `DATABASE_PERMISSION` when whoever asks is no administrator of the database. */
	read(options?: CallOptions): Promise<Accounts>
	/** Errors: `PATH_EXISTS`, `DATABASE_PERMISSION`, `DATABASE_REFUSED`. No message holds the hash. */
	createUser(user: UserAccount, options?: CallOptions): Promise<void>
	createGroup(name: string, options?: CallOptions): Promise<void>
	addMember(group: string, member: string, options?: CallOptions): Promise<void>
	/** Applies a `Ydb.Scheme.ModifyPermissionsRequest` without path to the database itself. */
	setPermissions(permissions: ProtoText, options?: CallOptions): Promise<void>
}
