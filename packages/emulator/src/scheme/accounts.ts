import { YdbError } from '../error.ts'
import { fits, hashOf, isHash } from './password.ts'

export type AccountChange =
	| {
			readonly kind: 'createUser' | 'alterUser'
			readonly name: string
			readonly hash?: string
			readonly login?: boolean
	  }
	| { readonly kind: 'createGroup'; readonly name: string; readonly users: readonly string[] }
	| { readonly kind: 'addUsers' | 'dropUsers'; readonly name: string; readonly users: readonly string[] }
	| { readonly kind: 'rename'; readonly what: 'user' | 'group'; readonly name: string; readonly to: string }
	| {
			readonly kind: 'dropAccounts'
			readonly what: 'user' | 'group'
			readonly names: readonly string[]
			readonly ifExists: boolean
	  }

interface User {
	hash: string
	login: boolean
}

/** Lower-case letters and digits. Source: servers 25.1 to 26.2 refuse all else so. */
function checkName(name: string): void {
	if (!/^[a-z0-9]+$/.test(name)) throw new YdbError('PRECONDITION_FAILED', `Name is not allowed: ${name}`)
}

const missing = (what: string, name: string): YdbError =>
	new YdbError('PRECONDITION_FAILED', `${what === 'user' ? 'User' : 'Group'} not found: ${name}`)

/** Users and groups of the database; the administrators that it was started with are not among them. */
export class Accounts {
	readonly users: Map<string, User> = new Map()
	readonly groups: Map<string, Set<string>> = new Map()
	readonly #administrators: Readonly<Record<string, string>>
	readonly #hashes = new Map<string, string>()

	constructor(administrators: Readonly<Record<string, string>>) {
		this.#administrators = administrators
	}

	/** Every user, administrators too, with what is kept of their passwords. */
	all(): { readonly name: string; readonly login: boolean; readonly hash: string }[] {
		const administrators = Object.entries(this.#administrators).map(([name, password]) => {
			if (!this.#hashes.has(name)) this.#hashes.set(name, hashOf(password))
			return { name, login: true, hash: this.#hashes.get(name)! }
		})
		return [...administrators, ...[...this.users].map(([name, user]) => ({ name, ...user }))]
	}

	isAdministrator(name: string): boolean {
		return Object.hasOwn(this.#administrators, name)
	}

	/** Whether that is the password of a user who may log in. */
	mayLogIn(name: string, password: string): boolean {
		const user = this.users.get(name)
		if (user) return user.login && fits(password, user.hash)
		return this.isAdministrator(name) && this.#administrators[name] === password
	}

	knows(name: string): boolean {
		return this.users.has(name) || this.isAdministrator(name)
	}

	/** The subjects whose rights a user has: themselves, their groups, the groups of those. */
	subjectsOf(user: string): Set<string> {
		const subjects = new Set([user])
		for (const subject of subjects)
			for (const [group, members] of this.groups) if (members.has(subject)) subjects.add(group)
		return subjects
	}

	/** Texts and statuses of refusals are guesses but for "Name is not allowed". */
	apply(change: AccountChange): void {
		switch (change.kind) {
			case 'createUser':
				this.#mustBeFree(change.name)
				this.users.set(change.name, { hash: '', login: change.login ?? true })
				this.#setHash(change.name, change.hash)
				return
			case 'alterUser': {
				const user = this.users.get(change.name)
				if (!user) throw missing('user', change.name)
				this.#setHash(change.name, change.hash)
				user.login = change.login ?? user.login
				return
			}
			case 'createGroup':
				this.#mustBeFree(change.name)
				for (const user of change.users) this.#mustBeKnown(user)
				this.groups.set(change.name, new Set(change.users))
				return
			case 'addUsers':
			case 'dropUsers': {
				const members = this.groups.get(change.name)
				if (!members) throw missing('group', change.name)
				for (const user of change.users) this.#mustBeKnown(user)
				for (const user of change.users) {
					if (change.kind === 'addUsers') members.add(user)
					else members.delete(user)
				}
				return
			}
			case 'rename':
				return this.#rename(change)
			case 'dropAccounts':
				for (const name of change.names) this.#drop(change.what, name, change.ifExists)
		}
	}

	#setHash(name: string, hash: string | undefined): void {
		if (hash === undefined) return
		if (!isHash(hash)) {
			throw new YdbError('PRECONDITION_FAILED', `Cannot parse the hash of user ${name}`)
		}
		this.users.get(name)!.hash = hash
	}

	#mustBeFree(name: string): void {
		checkName(name)
		if (this.users.has(name) || this.isAdministrator(name))
			throw new YdbError('PRECONDITION_FAILED', `User already exists: ${name}`)
		if (this.groups.has(name)) throw new YdbError('PRECONDITION_FAILED', `Group already exists: ${name}`)
	}

	#mustBeKnown(name: string): void {
		if (!this.knows(name) && !this.groups.has(name))
			throw new YdbError('PRECONDITION_FAILED', `Member account not found: ${name}`)
	}

	#rename({ what, name, to }: Extract<AccountChange, { kind: 'rename' }>): void {
		if (what === 'user') throw new YdbError('UNSUPPORTED', 'ALTER USER … RENAME TO is not emulated')
		const members = this.groups.get(name)
		if (!members) throw missing('group', name)
		this.#mustBeFree(to)
		this.groups.delete(name)
		this.groups.set(to, members)
		for (const others of this.groups.values()) if (others.delete(name)) others.add(to)
	}

	#drop(what: 'user' | 'group', name: string, ifExists: boolean): void {
		const among = what === 'user' ? this.users : this.groups
		if (!among.delete(name)) {
			if (ifExists) return
			throw missing(what, name)
		}
		for (const members of this.groups.values()) members.delete(name)
	}
}
