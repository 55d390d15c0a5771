import { create, toBinary } from '@bufbuild/protobuf'
import { ModifyPermissionsRequestSchema, SchemeServiceDefinition as Scheme } from '@ydbjs/api/scheme'
import type { AccountChange } from '../scheme/accounts.ts'
import { permissionOf } from '../scheme/rights.ts'
import { hashOf } from '../scheme/password.ts'
import { OBJECT } from '../services/objects.ts'
import type { SchemeStatement } from './ast.ts'
import type { SchemeChange } from './ddl.ts'
import { syntaxError } from './lexer.ts'
import type { QueryScope } from './query-scope.ts'

/** The requests that carry out a statement about users, groups and rights. */
export function accessChanges(
	{ action, at }: Extract<SchemeStatement, { kind: 'access' }>,
	scope: QueryScope,
): SchemeChange[] {
	const accounts = (change: AccountChange): SchemeChange[] => [
		{ method: OBJECT.accounts, request: Buffer.from(JSON.stringify(change)) },
	]
	switch (action.kind) {
		case 'createUser':
		case 'alterUser': {
			const { name, secret, login, kind } = action
			// What is kept of a password is its hash.
			const hash = secret && (secret.kind === 'hash' ? secret.text : hashOf(secret.text))
			return accounts({ kind, name, ...(hash !== undefined && { hash }), ...(login !== undefined && { login }) })
		}
		case 'grant':
		case 'revoke': {
			const permissionNames = action.rights.map((right) => {
				const found = permissionOf(right)
				if (found === undefined) throw syntaxError(at, `Unknown permission name: ${right}`)
				return found
			})
			const actions = action.subjects.map((subject) => ({
				action: { case: action.kind, value: { subject, permissionNames } },
			}))
			return action.paths.map((path) => {
				const request = create(ModifyPermissionsRequestSchema, { path: scope.path(path), actions })
				return { method: Scheme.modifyPermissions.path, request: toBinary(ModifyPermissionsRequestSchema, request) }
			})
		}
		default:
			return accounts(action)
	}
}
