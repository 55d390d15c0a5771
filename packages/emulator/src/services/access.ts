import { fromBinary } from '@bufbuild/protobuf'
import { CoordinationServiceDefinition as Coordination } from '@ydbjs/api/coordination'
import { ExportServiceDefinition as Export } from '@ydbjs/api/export'
import { ImportServiceDefinition as Import } from '@ydbjs/api/import'
import { RateLimiterServiceDefinition as RateLimiter } from '@ydbjs/api/rate-limiter'
import { ModifyPermissionsRequestSchema, SchemeServiceDefinition as Scheme } from '@ydbjs/api/scheme'
import { CopyTablesRequestSchema, RenameTablesRequestSchema, TableServiceDefinition as Tables } from '@ydbjs/api/table'
import { TopicServiceDefinition as Topics } from '@ydbjs/api/topic'
import { YdbError } from '../error.ts'
import type { Accounts } from '../scheme/accounts.ts'
import { type Right, rightsOf } from '../scheme/rights.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { field } from '../wire/cursor.ts'
import type { Statement } from '../yql/ast.ts'
import { noSuchTable } from '../yql/query-scope.ts'
import { touched } from '../yql/touched.ts'
import { OBJECT } from './objects.ts'
import { effectiveGrants } from './scheme.ts'
import { DESCRIBED } from './described.ts'

/** Source: NKikimrIssues::TIssuesIds. */
const ACCESS_DENIED = 200_000
const SCHEME_CHANGED = 2028

const SELECT: Right = 'ydb.granular.select_row'
const UPDATE: Right = 'ydb.granular.update_row'
const DESCRIBE: Right = 'ydb.granular.describe_schema'
const ALTER: Right = 'ydb.granular.alter_schema'
const REMOVE: Right = 'ydb.granular.remove_schema'
const CREATE_TABLE: Right = 'ydb.granular.create_table'
const GRANT: Right = 'ydb.access.grant'

/** Where the path stands in a request (the tag byte of its field), and what the call needs: on the path, or on what is to hold it. */
type Rule = readonly [tag: number, need: Right, on: 'it' | 'parent' | 'describe']

const RULES: Readonly<Record<string, Rule>> = {
	[Scheme.makeDirectory.path]: [0x12, 'ydb.granular.create_directory', 'parent'],
	[Scheme.removeDirectory.path]: [0x12, REMOVE, 'it'],
	[Scheme.listDirectory.path]: [0x12, DESCRIBE, 'describe'],
	[Scheme.describePath.path]: [0x12, DESCRIBE, 'describe'],
	[Tables.createTable.path]: [0x12, CREATE_TABLE, 'parent'],
	[Tables.alterTable.path]: [0x12, ALTER, 'it'],
	[Tables.dropTable.path]: [0x12, REMOVE, 'it'],
	[Tables.describeTable.path]: [0x12, DESCRIBE, 'describe'],
	[Tables.bulkUpsert.path]: [0x0a, UPDATE, 'it'],
	[Topics.createTopic.path]: [0x12, 'ydb.granular.create_queue', 'parent'],
	[Topics.alterTopic.path]: [0x12, ALTER, 'it'],
	[Topics.dropTopic.path]: [0x12, REMOVE, 'it'],
	[Topics.describeTopic.path]: [0x12, DESCRIBE, 'describe'],
	[Topics.describeConsumer.path]: [0x12, DESCRIBE, 'describe'],
	[Coordination.createNode.path]: [0x0a, CREATE_TABLE, 'parent'],
	[Coordination.alterNode.path]: [0x0a, ALTER, 'it'],
	[Coordination.dropNode.path]: [0x0a, REMOVE, 'it'],
	[Coordination.describeNode.path]: [0x0a, DESCRIBE, 'describe'],
	[RateLimiter.createResource.path]: [0x12, UPDATE, 'it'],
	[RateLimiter.alterResource.path]: [0x12, UPDATE, 'it'],
	[RateLimiter.dropResource.path]: [0x12, UPDATE, 'it'],
	[RateLimiter.listResources.path]: [0x12, DESCRIBE, 'describe'],
	[RateLimiter.describeResource.path]: [0x12, DESCRIBE, 'describe'],
	// They need rights on the database: no field of theirs has this tag. Source: CheckAccess of rpc_export.cpp.
	[Export.exportToS3.path]: [0, SELECT, 'it'],
	[Import.importFromS3.path]: [0, CREATE_TABLE, 'it'],
	...Object.fromEntries(
		Object.values(DESCRIBED).map((method): [string, Rule] => [method, [0x12, DESCRIBE, 'describe']]),
	),
}

const ACCOUNT_VIEWS = new Set(['/.sys/auth_users', '/.sys/auth_groups', '/.sys/auth_group_members'])

/** Who may do what. Nothing is asked of administrators, and of an owner about what they own. */
export class AccessControl {
	readonly #tree: SchemeTree
	readonly #accounts: Accounts

	constructor(tree: SchemeTree, accounts: Accounts) {
		this.#tree = tree
		this.#accounts = accounts
	}

	/** Whether a user has that right where the path leads, or on the last that exists of the way there. */
	has(user: string, path: string, right: Right): boolean {
		if (this.#accounts.isAdministrator(user)) return true
		const nodes = this.#tree.walk(path)
		const subjects = this.#accounts.subjectsOf(user)
		// What stands below a table belongs to the owner of the table.
		const owned = nodes.find(({ table }) => table) ?? nodes.at(-1)!
		if (subjects.has(owned.owner)) return true
		for (const [subject, names] of effectiveGrants(nodes))
			if (subjects.has(subject) && [...names].some((name) => rightsOf(name).includes(right))) return true
		return false
	}

	mayRead(user: string, path: string): boolean {
		return this.has(user, path, SELECT)
	}

	/** Refuses a call that its user has no right to make. */
	check(method: string, request: Buffer, user: string): void {
		if (this.#accounts.isAdministrator(user)) return
		const rule = RULES[method]
		if (rule) {
			const [tag, need, on] = rule
			const span = field(request, { start: 0, end: request.length }, tag)
			this.#need(user, span ? request.toString('utf8', span.start, span.end) : this.#tree.database, need, on)
		} else if (method === Tables.copyTables.path || method === Tables.copyTable.path) {
			const pairs =
				method === Tables.copyTable.path
					? [pairOf(request)]
					: fromBinary(CopyTablesRequestSchema, request).tables.map(
							(each) => [each.sourcePath, each.destinationPath] as const,
						)
			for (const [from, to] of pairs) {
				this.#need(user, from, SELECT, 'it')
				this.#need(user, to, CREATE_TABLE, 'parent')
			}
		} else if (method === Tables.renameTables.path) {
			for (const { sourcePath, destinationPath } of fromBinary(RenameTablesRequestSchema, request).tables) {
				this.#need(user, sourcePath, SELECT, 'it')
				this.#need(user, sourcePath, REMOVE, 'it')
				this.#need(user, destinationPath, CREATE_TABLE, 'parent')
			}
		} else if (method === Scheme.modifyPermissions.path) this.#checkGrant(request, user)
		else if (method === OBJECT.create || method === OBJECT.drop) {
			const { path } = JSON.parse(request.toString()) as { path: string }
			if (method === OBJECT.create) this.#need(user, path, CREATE_TABLE, 'parent')
			else this.#need(user, path, REMOVE, 'it')
		} else if (method === OBJECT.collection) this.#need(user, `${this.#tree.database}/.backups`, CREATE_TABLE, 'parent')
		else if (method === OBJECT.alterSequence) {
			const { path } = JSON.parse(request.toString()) as { path: string }
			this.#need(user, path, ALTER, 'it')
		} else if (method === OBJECT.accounts && !this.#mayChangeOwn(request, user))
			throw new YdbError('UNAUTHORIZED', `Access denied for ${user}`, ACCESS_DENIED)
	}

	/** Users may change their own password. Source: YDB's documentation of ALTER USER. */
	#mayChangeOwn(request: Buffer, user: string): boolean {
		if (this.#tree.root.owner === user) return true
		const change = JSON.parse(request.toString()) as { kind: string; name?: string; login?: boolean }
		return change.kind === 'alterUser' && change.name === user && change.login === undefined
	}

	/** A path that does not exist is refused later, as it is for everyone. */
	#need(user: string, path: string, right: Right, on: Rule[2]): void {
		if (on === 'parent') {
			const above = this.#tree.absolute(path).replace(/\/[^/]+$/, '')
			if (!this.has(user, above, right)) throw this.#denied(user, above)
		} else if (this.#tree.find(path) && !this.has(user, path, right))
			throw on === 'describe' ? new YdbError('UNAUTHORIZED', 'Access denied') : this.#denied(user, path)
	}

	/** Source: tx_proxy/schemereq.cpp. */
	#denied(user: string, path: string): YdbError {
		const names = this.#tree.segments(path).slice(0, this.#tree.walk(path).length - 1)
		const where = [this.#tree.database, ...names].join('/')
		return new YdbError('UNAUTHORIZED', `Access denied for ${user} to path ${where}`, ACCESS_DENIED)
	}

	/** Who is not the owner grants no more than they have, and never the ownership. Source: tx_proxy/schemereq.cpp. */
	#checkGrant(request: Buffer, user: string): void {
		const { path, actions } = fromBinary(ModifyPermissionsRequestSchema, request)
		const node = this.#tree.find(path)
		if (!node || this.#accounts.subjectsOf(user).has(node.owner)) return
		if (!this.has(user, path, GRANT)) throw this.#denied(user, path)
		for (const { action } of actions) {
			if (action.case === 'changeOwner')
				throw new YdbError(
					'UNAUTHORIZED',
					`Access denied for ${user} to change ownership of ${this.#tree.absolute(path)} to ${action.value}`,
					ACCESS_DENIED,
				)
			const rights = action.value?.permissionNames.flatMap(rightsOf) ?? []
			if (rights.some((right) => !this.has(user, path, right))) throw this.#denied(user, path)
		}
	}

	/** Refuses a read of a table. Source: rpc_read_table.cpp. */
	checkRead(path: string, user: string): void {
		if (this.#tree.find(path) && !this.has(user, path, SELECT))
			throw new YdbError('UNAUTHORIZED', 'Got AccessDenied response from TxProxy')
	}

	#ownsDatabase(user: string): boolean {
		return this.#accounts.subjectsOf(user).has(this.#tree.root.owner)
	}

	/** Refuses a query. Source: YDB's tests, KqpAcl AclForOltpAndOlap. */
	checkQuery(statements: readonly Statement[], user: string): void {
		if (this.#accounts.isAdministrator(user)) return
		for (const { path, at, rights } of touched(statements, this.#tree.database)) {
			const inside = path.startsWith(`${this.#tree.database}/`)
			if (!inside || !this.#tree.find(path)) continue
			if (!this.has(user, path, DESCRIBE)) throw noSuchTable(path, at)
			// Source: sys_view/auth/auth_scan_base.h, from memory; what a user is shown of himself is not emulated.
			if (ACCOUNT_VIEWS.has(path.slice(this.#tree.database.length)) && !this.#ownsDatabase(user))
				throw new YdbError('UNAUTHORIZED', 'Administrator access is required')
			for (const right of rights)
				if (!this.has(user, path, right))
					throw new YdbError('ABORTED', `Failed to resolve table \`${path}\` status: AccessDenied.`, SCHEME_CHANGED, {
						within: [['Query invalidated on scheme/internal error during Data execution', 2019]],
					})
		}
	}
}

function pairOf(request: Buffer): readonly [string, string] {
	const text = (tag: number): string => {
		const span = field(request, { start: 0, end: request.length }, tag)
		return span ? request.toString('utf8', span.start, span.end) : ''
	}
	return [text(0x12), text(0x1a)]
}
