import { YdbError } from '../error.ts'
import { checkShape, type Limits, limitsOf } from '../limits.ts'
import { IndexTable } from './index-table.ts'
import { isNewerIndex } from './newer-index.ts'
import type { Contents } from './objects.ts'
import type { Table } from './table.ts'

/** Kinds that hold no other paths and stand in a directory. */
export type ObjectKind = keyof Contents
/** `index`, `changefeed` and `sequence` stand below a table: YDB shows them only to those who name them. */
export type NodeKind =
	| 'directory'
	| 'table'
	| 'systemView'
	| 'index'
	| 'changefeed'
	| 'stream'
	| 'sequence'
	| ObjectKind

export interface Node {
	readonly kind: NodeKind
	name: string
	owner: string
	/** Rights by subject, in the order in which they were granted. */
	readonly grants: Map<string, Set<string>>
	/** Whether the rights of the parents count here. */
	inherits: boolean
	readonly children: Map<string, Node>
	readonly createdAt: number
	readonly table?: Table
	readonly contents: Partial<Contents>
	/** Of a directory that is a backup collection. */
	collection?: Collection
	/** Of a directory that a backup made: by what transaction, and when. */
	madeBy?: { readonly planStep: number; readonly txId: number }
}

/** What CREATE BACKUP COLLECTION said. */
export interface Collection {
	/** Absolute paths; nobody looks whether they are there. */
	readonly tables: readonly string[]
	readonly isIncremental: boolean
	readonly omitIndexes: boolean
}

const SYSTEM = '.sys'
const NAME = /^[^/\0]+$/

/** How messages name a kind. Source: schemeshard's path checks, as YDB's tests quote them; where they do not, a guess. */
const KIND_NAMES: Readonly<Record<NodeKind, string>> = {
	directory: 'a directory',
	table: 'a table',
	systemView: 'a system view',
	index: 'a table index',
	changefeed: 'a cdc stream',
	stream: 'a cdc stream',
	sequence: 'a sequence',
	topic: 'a topic',
	view: 'a view',
	coordination: 'a coordination node',
	externalDataSource: 'a external data source',
	externalTable: 'a external table',
	replication: 'a replication',
	transfer: 'a transfer',
}

export const pathExists = (path: string): YdbError =>
	new YdbError('SCHEME_ERROR', `Check failed: path: '${path}', error: path exist, request accepts it`, 2003)

/** The paths of one database. */
export class SchemeTree {
	readonly database: string
	readonly root: Node
	readonly limits: Limits
	/** Paths that there are, without the database's own. */
	#count = -1
	/** Milliseconds since 1970 by the server's clock. */
	now: () => number = Date.now
	/** A counter that stands for time: plan steps rise with every change. */
	step = 1

	constructor(database: string, owner: string, limits: Limits = limitsOf()) {
		this.database = database
		this.limits = limits
		this.root = this.#node('directory', database.slice(1), owner)
		this.root.children.set(SYSTEM, this.#node('directory', SYSTEM, owner))
	}

	#node(kind: NodeKind, name: string, owner: string, more: { table?: Table; contents?: Partial<Contents> } = {}): Node {
		this.#count++
		return {
			kind,
			name,
			owner,
			grants: new Map(),
			inherits: true,
			children: new Map(),
			createdAt: this.step++,
			contents: more.contents ?? {},
			...(more.table && { table: more.table }),
		}
	}

	/** The names below the database; a path may be absolute or relative to it. */
	segments(path: string): string[] {
		const absolute = path.startsWith('/') ? path : `${this.database}/${path}`
		if (absolute !== this.database && !absolute.startsWith(`${this.database}/`))
			throw new YdbError('SCHEME_ERROR', `Path does not exist: ${path} is not in database ${this.database}`, 200200)
		return absolute
			.slice(this.database.length)
			.split('/')
			.filter((name) => name !== '')
	}

	/** The absolute form of a path. */
	absolute(path: string): string {
		return [this.database, ...this.segments(path)].join('/')
	}

	/** The nodes from the database to the path, as far as they exist. */
	walk(path: string): Node[] {
		const nodes = [this.root]
		for (const name of this.segments(path)) {
			const next = nodes.at(-1)!.children.get(name)
			if (!next) break
			nodes.push(next)
		}
		return nodes
	}

	find(path: string): Node | undefined {
		const nodes = this.walk(path)
		return nodes.length === this.segments(path).length + 1 ? nodes.at(-1) : undefined
	}

	get(path: string): Node {
		const node = this.find(path)
		if (!node) throw new YdbError('SCHEME_ERROR', `Path not found: ${path}`, 200200)
		return node
	}

	table(path: string): Table {
		const { table } = this.get(path)
		if (!table) throw new YdbError('SCHEME_ERROR', `${path} is not a table`)
		return table
	}

	/** Whether what is missing of a path may be created, all of it. Texts are guesses, but that of the depth. */
	#checkNew(names: readonly string[]): void {
		const { limits } = this
		let known: Node | undefined = this.root
		let missing = 0
		for (const name of names) {
			const next: Node | undefined = known?.children.get(name)
			if (!next) {
				missing++
				if (!NAME.test(name) || name === '.' || name === '..')
					throw new YdbError('SCHEME_ERROR', `Invalid path name '${name}'`)
				// Below collections they are made by backups and imports.
				if (name.startsWith('__ydb_backup') && names[0] !== '.backups')
					throw new YdbError('SCHEME_ERROR', `path part '${name}' is reserved by the system`)
				if (name.length > limits.nameLength)
					throw new YdbError('SCHEME_ERROR', `Path part is longer than ${limits.nameLength}: ${name.slice(0, 40)}…`)
				if (known && known.children.size >= limits.childrenOfDirectory)
					throw new YdbError('SCHEME_ERROR', `children count limit exceeded, limit: ${limits.childrenOfDirectory}`)
			}
			known = next
		}
		if (missing === 0) return
		// The database is a part of the path; whether YDB counts all of it is not verified.
		if (names.length + 1 > limits.pathDepth)
			throw new YdbError(
				'SCHEME_ERROR',
				`paths depth limit exceeded, limit: ${limits.pathDepth}, depth: ${names.length}, delta: 1`,
			)
		if (this.#count + missing > limits.paths)
			throw new YdbError('PRECONDITION_FAILED', `paths count limit exceeded, limit: ${limits.paths}`)
	}

	/** What stands at a path that must be of that kind. */
	contents<K extends ObjectKind>(path: string, kind: K): Contents[K] {
		const found = this.get(path).contents[kind]
		if (!found) throw this.#otherKind(path, kind)
		return found
	}

	#otherKind(path: string, kind: NodeKind): YdbError {
		const message = `Check failed: path: '${this.absolute(path)}', error: path is not ${KIND_NAMES[kind]}`
		return new YdbError('SCHEME_ERROR', message, 2003)
	}

	#directory(names: readonly string[], owner: string): Node {
		this.#checkNew(names)
		if (names[0] === SYSTEM)
			throw new YdbError(
				'SCHEME_ERROR',
				`Check failed: path: '${this.database}/${SYSTEM}', error: path is reserved`,
				2003,
			)
		let node = this.root
		for (const name of names) {
			if (node.kind !== 'directory') throw new YdbError('SCHEME_ERROR', `${node.name} is not a directory`)
			let next = node.children.get(name)
			if (!next) node.children.set(name, (next = this.#node('directory', name, owner)))
			node = next
		}
		if (node.kind !== 'directory')
			throw new YdbError('SCHEME_ERROR', `Check failed: path exists and is a ${node.kind}: ${names.join('/')}`)
		return node
	}

	/** Creates a directory with its parents. Succeeds when it exists. */
	makeDirectory(path: string, owner: string): void {
		this.#directory(this.segments(path), owner)
	}

	#add(path: string, owner: string, kind: NodeKind, more: { table?: Table; contents?: Partial<Contents> }): Node {
		const names = this.segments(path)
		const name = names.pop()
		if (name === undefined) throw new YdbError('SCHEME_ERROR', `Invalid path '${path}'`)
		if (more.table) checkShape(this.limits, more.table.spec)
		this.#checkNew([...names, name])
		const parent = this.#directory(names, owner)
		const taken = parent.children.get(name)
		if (taken && taken.kind !== kind)
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${path}', error: unexpected path type`, 2003)
		if (taken) throw pathExists(path)
		const node = this.#node(kind, name, owner, more)
		parent.children.set(name, node)
		return node
	}

	addTable(path: string, table: Table, owner: string): void {
		this.#reflect(this.#add(path, owner, 'table', { table }))
	}

	/** Only when the tree is new. */
	addSystemTable(name: string, table: Table): void {
		this.root.children.get(SYSTEM)!.children.set(name, this.#node('systemView', name, this.root.owner, { table }))
	}

	addObject<K extends ObjectKind>(path: string, kind: K, contents: Contents[K], owner: string): void {
		this.#add(path, owner, kind, { contents: { [kind]: contents } })
	}

	/** Puts what belongs to a table below it: indexes with their tables, changefeeds with their topics, sequences. */
	reflect(path: string): void {
		const node = this.get(path)
		if (node.table) this.#reflect(node)
	}

	#reflect(node: Node): void {
		const { children, owner } = node
		const table = node.table!
		const before = new Map(children)
		children.clear()
		const add = (kind: NodeKind, name: string, more: { contents?: Partial<Contents> }): void => {
			const known = before.get(name)
			const same = known?.kind === kind && known.contents.topic === more.contents?.topic
			children.set(name, same ? known : this.#node(kind, name, owner, more))
		}
		for (const index of table.spec.indexes) {
			if (isNewerIndex(index)) {
				add('index', index.name, {})
				continue
			}
			const implementation = new IndexTable(table, index)
			const known = before.get(index.name)
			const same = known?.children.get(INDEX_TABLE)?.table?.sameColumns(implementation)
			const node = same ? known! : this.#node('index', index.name, owner)
			if (!same) node.children.set(INDEX_TABLE, this.#node('table', INDEX_TABLE, owner, { table: implementation }))
			children.set(index.name, node)
		}
		for (const [name, { topic }] of table.changefeeds) add('changefeed', name, { contents: { topic } })
		for (const { name, log, indexes } of table.streams.values()) {
			const stream = this.#node('stream', name, owner)
			stream.children.set(STREAM_LOG, this.#node('stream', STREAM_LOG, owner, { table: log }))
			for (const [index, ofIndex] of indexes)
				stream.children.set(index, this.#node('stream', index, owner, { table: ofIndex }))
			children.set(name, stream)
		}
		for (const { name } of table.sequences.values()) add('sequence', name, {})
	}

	remove(path: string, kind: NodeKind): Node {
		const node = this.get(path)
		const names = this.segments(path)
		const name = names.pop()
		if (name === undefined) throw new YdbError('BAD_REQUEST', 'the database itself cannot be removed')
		if (node.kind !== kind) throw this.#otherKind(path, kind)
		if (name === SYSTEM) throw new YdbError('SCHEME_ERROR', `${path} cannot be removed`)
		if (node.collection) throw this.#otherKind(path, kind)
		if (kind === 'directory' && node.children.size > 0)
			throw new YdbError('SCHEME_ERROR', `Directory ${path} is not empty`)
		const parent = this.get(`${this.database}/${names.join('/')}`)
		if (parent.kind !== 'directory')
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${path}', error: path is not a common path`, 2003)
		parent.children.delete(name)
		this.#count--
		return node
	}

	/** Removes a directory with everything in it. */
	removeAll(path: string): void {
		const names = this.segments(path)
		const name = names.pop()!
		const sizeOf = (node: Node): number => [...node.children.values()].reduce((sum, each) => sum + sizeOf(each), 1)
		this.#count -= sizeOf(this.get(path))
		this.get(`${this.database}/${names.join('/')}`).children.delete(name)
	}

	move(from: string, to: string): void {
		const node = this.get(from)
		const names = this.segments(to)
		const name = names.pop()!
		const parent = this.#directory(names, node.owner)
		if (parent.children.has(name)) throw pathExists(to)
		this.remove(from, node.kind)
		this.#count++
		node.name = name
		parent.children.set(name, node)
	}
}

/** The name of the table that holds an index. Source: ydb/core/base/table_index. */
export const INDEX_TABLE = 'indexImplTable'
/** Below a stream: the changes of the table itself. As YDB names the topic of a stream. */
export const STREAM_LOG = 'streamImpl'
