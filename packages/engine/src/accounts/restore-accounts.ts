import { type AccountAdmin, type Accounts, BackupError, isBackupError, type ProtoText } from '@ydbackup/core'

import { reasonText } from '../events/reporter.ts'
import { addProblem } from '../restore/create-objects.ts'
import type { RestoreRun } from '../restore/restore-run.ts'
import type { RestoreSettings } from '../restore/restore-options.ts'
import { splitPermissions } from '../restore/split-permissions.ts'
import { type AccountPlan, planAccounts } from './plan-accounts.ts'

/** What is to be restored of accounts, and through whom. */
export interface AccountWork {
	readonly admin: AccountAdmin
	readonly wanted: Accounts
	readonly plan: AccountPlan
}

/** Looks at who is there, before anything is written. Errors: `CONFIG_INVALID` for a backup without accounts, `DATABASE_PERMISSION`. */
export async function openAccountWork(
	title: string,
	wanted: Accounts | undefined,
	{ accounts: admin, signal }: RestoreSettings,
): Promise<AccountWork | undefined> {
	if (admin === undefined) return undefined
	if (wanted === undefined) {
		throw new BackupError('CONFIG_INVALID', `${title} holds no users and groups`, {
			advice: 'restore without accounts; a backup has them when it was taken with them',
		})
	}
	return { admin, wanted, plan: planAccounts(wanted, await admin.read({ signal })) }
}

/** Users, groups, memberships, and the grants of the database itself, before all that may be granted to them. */
export async function restoreAccounts(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	if (run.accounts === undefined) return
	const { admin, plan, wanted } = run.accounts
	run.reporter.phase('accounts', `creating ${plan.users.length} users and ${plan.groups.length} groups`)
	for (const user of plan.users) await attempt(run, `user ${user.name}`, () => admin.createUser(user, { signal }))
	for (const name of plan.groups) await attempt(run, `group ${name}`, () => admin.createGroup(name, { signal }))
	for (const [group, member] of plan.members)
		await attempt(run, `${member} in group ${group}`, () => admin.addMember(group, member, { signal }))
	await setRights(run, 'grants', splitPermissions(wanted.permissions).grants, signal)
}

/** The very last step: with the ownership of the database the restoring user may lose the right to do the rest. */
export async function changeDatabaseOwner(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	if (run.accounts === undefined) return
	await setRights(run, 'owner', splitPermissions(run.accounts.wanted.permissions).owner, signal)
}

async function setRights(
	run: RestoreRun,
	what: string,
	permissions: ProtoText,
	signal: AbortSignal | undefined,
): Promise<void> {
	if (run.accounts === undefined || run.options.noAcl === true || permissions.length === 0) return
	const { admin } = run.accounts
	await attempt(run, `${what} of the database`, () => admin.setPermissions(permissions, { signal }))
}

/** What is refused is said and left out; a database that cannot be reached ends the run. */
async function attempt(run: RestoreRun, what: string, work: () => Promise<void>): Promise<void> {
	try {
		await work()
	} catch (error) {
		const isRefusal = isBackupError(error) && error.code !== 'INTERRUPTED' && error.code !== 'DATABASE_UNREACHABLE'
		if (!isRefusal) throw error
		const message = `${what}: not restored: ${reasonText(error)}`
		addProblem(run, '', message)
	}
}
