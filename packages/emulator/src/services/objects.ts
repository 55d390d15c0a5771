import { fromBinary } from '@bufbuild/protobuf'
import { TableIndexSchema } from '@ydbjs/api/table'
import { YdbError } from '../error.ts'
import type { Contents, Definition } from '../scheme/objects.ts'
import type { Sequence } from '../scheme/sequence.ts'
import type { NodeKind, SchemeTree } from '../scheme/tree.ts'

/** Changes that no service of YDB has a request for: they have names that no call can have, and JSON for a request. */
export const OBJECT = {
	create: 'object.create',
	drop: 'object.drop',
	sequences: 'sequences.set',
	alterSequence: 'sequence.alter',
	accounts: 'accounts.change',
	collection: 'collection.change',
	/** An index is built on rows that are there, also a unique one. */
	index: 'index.build',
	removeAll: 'path.removeAll',
	operation: 'operation.change',
} as const

export interface CreateObject {
	readonly path: string
	readonly kind: 'view' | 'externalDataSource' | 'externalTable' | 'replication' | 'transfer'
	readonly contents: Contents['view'] | Definition
	readonly unless: boolean
	readonly replace: boolean
}

export interface DropObject {
	readonly path: string
	readonly kind: NodeKind
	/** Silent when nothing is there. */
	readonly ifExists: boolean
}

export function createObject(tree: SchemeTree, request: CreateObject, owner: string): void {
	const { path, kind, contents, unless, replace } = request
	const there = tree.find(path)
	if (there?.kind === kind && unless) return
	if (there?.kind === kind && replace) {
		Object.assign(there.contents, { [kind]: contents })
		return
	}
	if (kind === 'externalTable') {
		const source = (contents as Definition).settings.DATA_SOURCE
		if (source === undefined) throw new YdbError('GENERIC_ERROR', 'DATA_SOURCE parameter is required')
		tree.contents(source, 'externalDataSource')
	}
	tree.addObject(path, kind, contents as never, owner)
}

export function dropObject(tree: SchemeTree, { path, kind, ifExists }: DropObject): void {
	if (!tree.find(path)) {
		if (ifExists) return
		throw new YdbError('SCHEME_ERROR', `Path does not exist: ${path}`, 200200)
	}
	if (kind === 'externalDataSource') {
		const user = usersOf(tree, tree.absolute(path))
		if (user !== undefined)
			throw new YdbError(
				'SCHEME_ERROR',
				`Other entities depend on this data source, please remove them at the beginning: ${user}`,
			)
	}
	tree.remove(path, kind)
}

/** The first external table that reads from a source. */
function usersOf(tree: SchemeTree, source: string): string | undefined {
	const open = [{ node: tree.root, path: tree.database }]
	for (const { node, path } of open)
		for (const child of node.children.values()) {
			const below = `${path}/${child.name}`
			const used = child.contents.externalTable?.settings.DATA_SOURCE
			if (used !== undefined && tree.absolute(used) === source) return below
			open.push({ node: child, path: below })
		}
	return undefined
}

export interface SequenceState {
	readonly path: string
	readonly column: string
	readonly next: string
	readonly used: boolean
}

/** ALTER SEQUENCE; numbers as text. */
export interface SequenceChange {
	readonly path: string
	readonly column: string
	readonly start?: string
	readonly increment?: string
	readonly restart?: string
}

/** An index as bytes in base64. */
export interface BuildIndex {
	readonly path: string
	readonly index: string
}

export function buildIndex(tree: SchemeTree, { path, index }: BuildIndex): void {
	const table = tree.table(path)
	table.spec.indexes.push(fromBinary(TableIndexSchema, Buffer.from(index, 'base64')))
	try {
		table.refresh()
	} catch (error) {
		table.spec.indexes.pop()
		table.refresh()
		throw error
	}
	tree.reflect(path)
}

function sequenceOf(tree: SchemeTree, path: string, column: string): Sequence {
	const sequence = tree.table(path).sequences.get(column)
	if (!sequence) throw new YdbError('SCHEME_ERROR', `Path does not exist: ${path}`, 200200)
	return sequence
}

export function setSequences(tree: SchemeTree, states: readonly SequenceState[]): void {
	for (const { path, column, next, used } of states)
		Object.assign(sequenceOf(tree, path, column), { next: BigInt(next), used })
}

export function alterSequence(tree: SchemeTree, { path, column, start, increment, restart }: SequenceChange): void {
	sequenceOf(tree, path, column).alter({
		...(start !== undefined && { start: BigInt(start) }),
		...(increment !== undefined && { increment: BigInt(increment) }),
		...(restart !== undefined && { restart: BigInt(restart) }),
	})
}

/** What moved in the sequences of tables since they were kept last. */
export function movedSequences(tree: SchemeTree, paths: Iterable<string>): SequenceState[] {
	const out: SequenceState[] = []
	for (const path of paths)
		for (const [column, sequence] of tree.find(path)?.table?.sequences ?? []) {
			if (!sequence.moved) continue
			sequence.moved = false
			out.push({ path, column, next: String(sequence.next), used: sequence.used })
		}
	return out
}
