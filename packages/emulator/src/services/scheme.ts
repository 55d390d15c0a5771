import { create } from '@bufbuild/protobuf'
import {
	DescribePathResultSchema,
	type Entry,
	EntrySchema,
	Entry_Type,
	ListDirectoryResultSchema,
	type ModifyPermissionsRequest,
} from '@ydbjs/api/scheme'
import type { Operation } from '@ydbjs/api/operation'
import { YdbError } from '../error.ts'
import type { Node, SchemeTree } from '../scheme/tree.ts'
import { success } from './envelope.ts'

const permissionsOf = (grants: Node['grants']): { subject: string; permissionNames: string[] }[] =>
	[...grants]
		.filter(([, names]) => names.size > 0)
		.map(([subject, names]) => ({ subject, permissionNames: [...names] }))

export function entryOf(tree: SchemeTree, path: string, node: Node): Entry {
	const effective = new Map<string, Set<string>>()
	let at: Node | undefined = tree.root
	for (const name of [undefined, ...tree.segments(path)]) {
		at = name === undefined ? at : at?.children.get(name)
		for (const [subject, names] of at?.grants ?? [])
			effective.set(subject, new Set([...(effective.get(subject) ?? []), ...names]))
	}
	const type =
		node === tree.root ? Entry_Type.DATABASE : node.kind === 'table' ? Entry_Type.TABLE : Entry_Type.DIRECTORY
	return create(EntrySchema, {
		name: node.name,
		owner: node.owner,
		type,
		permissions: permissionsOf(node.grants),
		effectivePermissions: permissionsOf(effective),
		createdAt: { planStep: BigInt(node.createdAt), txId: BigInt(node.createdAt) },
	})
}

export function listDirectory(tree: SchemeTree, path: string): Operation {
	const node = tree.get(path)
	if (node.kind !== 'directory') throw new YdbError('SCHEME_ERROR', `${path} is not a directory`)
	const below = `${tree.database}/${tree.segments(path).join('/')}`
	const children = [...node.children.values()].map((child) => entryOf(tree, `${below}/${child.name}`, child))
	if (node === tree.root)
		children.push(create(EntrySchema, { name: '.sys', owner: node.owner, type: Entry_Type.DIRECTORY }))
	children.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
	return success(
		ListDirectoryResultSchema,
		create(ListDirectoryResultSchema, { self: entryOf(tree, path, node), children }),
	)
}

export function describePath(tree: SchemeTree, path: string): Operation {
	return success(
		DescribePathResultSchema,
		create(DescribePathResultSchema, { self: entryOf(tree, path, tree.get(path)) }),
	)
}

export function modifyPermissions(tree: SchemeTree, request: ModifyPermissionsRequest): void {
	const node = tree.get(request.path)
	if (request.clearPermissions) node.grants.clear()
	for (const { action } of request.actions) {
		switch (action.case) {
			case 'changeOwner':
				node.owner = action.value
				break
			case 'grant':
			case 'set': {
				const { subject, permissionNames } = action.value
				if (!subject) throw new YdbError('BAD_REQUEST', 'a permission needs a subject')
				const before = action.case === 'set' ? [] : (node.grants.get(subject) ?? [])
				node.grants.set(subject, new Set([...before, ...permissionNames]))
				break
			}
			case 'revoke': {
				const names = node.grants.get(action.value.subject)
				for (const name of action.value.permissionNames) names?.delete(name)
				if (names?.size === 0) node.grants.delete(action.value.subject)
				break
			}
			default:
				throw new YdbError('BAD_REQUEST', 'a permissions action is empty')
		}
	}
}
