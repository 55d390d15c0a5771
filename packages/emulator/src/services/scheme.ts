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
import { permissionOf } from '../scheme/rights.ts'
import type { Node, NodeKind, SchemeTree } from '../scheme/tree.ts'
import { success } from './envelope.ts'

const permissionsOf = (grants: Node['grants']): { subject: string; permissionNames: string[] }[] =>
	[...grants]
		.filter(([, names]) => names.size > 0)
		.map(([subject, names]) => ({ subject, permissionNames: [...names] }))

/** Numbers that the client package has no names for. Source: protos/ydb_scheme.proto. */
const VIEW = 20 as Entry_Type
const TRANSFER = 23 as Entry_Type
const SYSTEM_VIEW = 24 as Entry_Type

const TYPES: Readonly<Record<NodeKind, Entry_Type>> = {
	directory: Entry_Type.DIRECTORY,
	table: Entry_Type.TABLE,
	systemView: SYSTEM_VIEW,
	// An index is told as its table and a changefeed as its topic. Source: rpc_describe_path.cpp.
	index: Entry_Type.TABLE,
	changefeed: Entry_Type.TOPIC,
	stream: Entry_Type.TOPIC,
	sequence: Entry_Type.SEQUENCE,
	topic: Entry_Type.TOPIC,
	view: VIEW,
	coordination: Entry_Type.COORDINATION_NODE,
	externalDataSource: Entry_Type.EXTERNAL_DATA_SOURCE,
	externalTable: Entry_Type.EXTERNAL_TABLE,
	replication: Entry_Type.REPLICATION,
	transfer: TRANSFER,
}

/** The rights of a node: those of its parents (as far as it inherits them) and its own. */
export function effectiveGrants(nodes: readonly Node[]): Node['grants'] {
	const effective: Node['grants'] = new Map()
	for (const { grants, inherits } of nodes) {
		if (!inherits) effective.clear()
		for (const [subject, names] of grants)
			effective.set(subject, new Set([...(effective.get(subject) ?? []), ...names]))
	}
	return effective
}

export function entryOf(tree: SchemeTree, path: string, node: Node): Entry {
	const type =
		node === tree.root ? Entry_Type.DATABASE : node.table?.isColumnTable ? Entry_Type.COLUMN_TABLE : TYPES[node.kind]
	return create(EntrySchema, {
		name: node.name,
		owner: node.owner,
		type,
		permissions: permissionsOf(node.grants),
		effectivePermissions: permissionsOf(effectiveGrants(tree.walk(path))),
		createdAt: {
			planStep: BigInt(node.madeBy?.planStep ?? node.createdAt),
			txId: BigInt(node.madeBy?.txId ?? node.createdAt),
		},
	})
}

/**
 * Refuses what stands below tables. An index and a changefeed are seen by their names; the table of an index only by DescribeTable.
 * Source: rpc_describe_path.cpp, rpc_describe_table.cpp; the text is a guess.
 */
export function mustBeVisible(tree: SchemeTree, path: string, withIndexTables = false): void {
	const nodes = tree.walk(path)
	const [below, last] = nodes.slice(-2)
	const ofCollection = nodes.some(({ kind }) => kind === 'stream')
	const hidden = ofCollection || last?.kind === 'sequence' || (below?.kind === 'index' && !withIndexTables)
	if (hidden)
		throw new YdbError('SCHEME_ERROR', `Check failed: path: '${tree.absolute(path)}', error: path is not a common path`)
}

export function listDirectory(tree: SchemeTree, path: string): Operation {
	const node = tree.get(path)
	mustBeVisible(tree, path)
	const below = tree.absolute(path)
	const shown = node.kind === 'directory' ? [...node.children.values()] : []
	const children = shown.map((child) => entryOf(tree, `${below}/${child.name}`, child))
	children.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
	return success(
		ListDirectoryResultSchema,
		create(ListDirectoryResultSchema, { self: entryOf(tree, path, node), children }),
	)
}

export function describePath(tree: SchemeTree, path: string): Operation {
	mustBeVisible(tree, path)
	return success(
		DescribePathResultSchema,
		create(DescribePathResultSchema, { self: entryOf(tree, path, tree.get(path)) }),
	)
}

/** The text is a guess. */
function mustBeKnown(name: string): string {
	const known = name.startsWith('ydb.') ? permissionOf(name) : undefined
	if (known === undefined) throw new YdbError('BAD_REQUEST', `Unknown permission name: ${name}`)
	return known
}

export function modifyPermissions(tree: SchemeTree, request: ModifyPermissionsRequest): void {
	const node = tree.get(request.path)
	if (request.clearPermissions) node.grants.clear()
	if (request.inheritance.case === 'interruptInheritance') node.inherits = !request.inheritance.value
	for (const { action } of request.actions) {
		switch (action.case) {
			case 'changeOwner':
				node.owner = action.value
				break
			case 'grant':
			case 'set': {
				const { subject, permissionNames } = action.value
				if (!subject) throw new YdbError('BAD_REQUEST', 'a permission needs a subject')
				const known = permissionNames.map(mustBeKnown)
				const before = action.case === 'set' ? [] : (node.grants.get(subject) ?? [])
				node.grants.set(subject, new Set([...before, ...known]))
				break
			}
			case 'revoke': {
				const names = node.grants.get(action.value.subject)
				for (const name of action.value.permissionNames) names?.delete(mustBeKnown(name))
				if (names?.size === 0) node.grants.delete(action.value.subject)
				break
			}
			default:
				throw new YdbError('BAD_REQUEST', 'a permissions action is empty')
		}
	}
}
