import { YdbError } from '../error.ts'
import { checkShape, type Limits, limitsOf } from '../limits.ts'
import type { Table } from './table.ts'

export interface Node {
	readonly kind: 'directory' | 'table'
	name: string
	owner: string
	/** Rights by subject, in the order in which they were granted. */
	readonly grants: Map<string, Set<string>>
	readonly children: Map<string, Node>
	readonly createdAt: number
	readonly table?: Table
}

const NAME = /^[^/\0]+$/

/** The paths of one database. */
export class SchemeTree {
	readonly database: string
	readonly root: Node
	readonly limits: Limits
	/** Paths that there are, without the database's own. */
	#count = -1
	/** A counter that stands for time: plan steps rise with every change. */
	step = 1

	constructor(database: string, owner: string, limits: Limits = limitsOf()) {
		this.database = database
		this.limits = limits
		this.root = this.#node('directory', database.slice(1), owner)
	}

	#node(kind: Node['kind'], name: string, owner: string, table?: Table): Node {
		this.#count++
		return {
			kind,
			name,
			owner,
			grants: new Map(),
			children: new Map(),
			createdAt: this.step++,
			...(table && { table }),
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

	find(path: string): Node | undefined {
		let node: Node | undefined = this.root
		for (const name of this.segments(path)) node = node?.children.get(name)
		return node
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

	#directory(names: readonly string[], owner: string): Node {
		this.#checkNew(names)
		let node = this.root
		for (const name of names) {
			if (node.kind !== 'directory') throw new YdbError('SCHEME_ERROR', `${node.name} is not a directory`)
			let next = node.children.get(name)
			if (!next) node.children.set(name, (next = this.#node('directory', name, owner)))
			node = next
		}
		if (node.kind !== 'directory')
			throw new YdbError('SCHEME_ERROR', `Check failed: path exists and is a table: ${names.join('/')}`)
		return node
	}

	/** Creates a directory with its parents. Succeeds when it exists. */
	makeDirectory(path: string, owner: string): void {
		this.#directory(this.segments(path), owner)
	}

	addTable(path: string, table: Table, owner: string): void {
		const names = this.segments(path)
		const name = names.pop()
		if (name === undefined) throw new YdbError('SCHEME_ERROR', `Invalid path '${path}'`)
		checkShape(this.limits, table.spec)
		this.#checkNew([...names, name])
		const parent = this.#directory(names, owner)
		if (parent.children.has(name))
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${path}', error: path exist`, 2003)
		parent.children.set(name, this.#node('table', name, owner, table))
	}

	remove(path: string, kind: Node['kind']): Node {
		const node = this.get(path)
		const names = this.segments(path)
		const name = names.pop()
		if (name === undefined) throw new YdbError('BAD_REQUEST', 'the database itself cannot be removed')
		if (node.kind !== kind) throw new YdbError('SCHEME_ERROR', `${path} is not a ${kind}`)
		if (kind === 'directory' && node.children.size > 0)
			throw new YdbError('SCHEME_ERROR', `Directory ${path} is not empty`)
		this.get(`${this.database}/${names.join('/')}`).children.delete(name)
		this.#count--
		return node
	}

	move(from: string, to: string): void {
		const node = this.get(from)
		const names = this.segments(to)
		const name = names.pop()!
		const parent = this.#directory(names, node.owner)
		if (parent.children.has(name))
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${to}', error: path exist`, 2003)
		this.remove(from, node.kind)
		this.#count++
		node.name = name
		parent.children.set(name, node)
	}
}
