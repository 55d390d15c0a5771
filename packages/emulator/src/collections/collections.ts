import { YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import { IndexTable } from '../scheme/index-table.ts'
import { type Collection, INDEX_TABLE, pathExists, type SchemeTree, STREAM_LOG } from '../scheme/tree.ts'
import type { Table } from '../scheme/table.ts'
import type { Effect } from '../store/transaction.ts'
import { applied, changeRows, changeTableOf, type Generation } from './change-table.ts'
import { BackgroundOperations, type Running } from './operations.ts'
import { lastStream, newStream } from './stream.ts'

/** Where collections are, below the database. */
export const COLLECTIONS = '.backups/collections'
const META = '__ydb_backup_meta/indexes'

/** What a statement asks for; `name` as it was written. */
export type CollectionStatement =
	| ({ readonly kind: 'create'; readonly name: string } & Collection)
	| { readonly kind: 'drop'; readonly name: string }
	| { readonly kind: 'restore'; readonly name: string }
	| { readonly kind: 'backup'; readonly name: string; readonly incremental: boolean }

/** What does not follow from a statement and the state before it, so that a replay makes the same again. */
interface Given {
	readonly txId: number
	/** Milliseconds since 1970. */
	readonly at: number
	/** The server's local time. */
	readonly stamp: string
	readonly keepsStreams: boolean
	readonly generation: Generation
}

export type CollectionChange =
	| (CollectionStatement & Given)
	/** A background operation went one step further, or came to its end. */
	| { readonly kind: 'step'; readonly txId: number }
	| { readonly kind: 'end'; readonly txId: number; readonly failure?: string }
	| { readonly kind: 'forget'; readonly txId: number }

const FIRST_TX = 281_474_976_710_656

/**
 * Backup collections. Source: backup-collections (GATEWAY, COMMON, FULL-OP, INCR-OP, RESTORE-OP of ydb/core/tx/schemeshard); what is
 * not known from there is marked as a guess.
 */
export class Collections {
	readonly #tree: SchemeTree
	readonly #faults: Faults
	readonly operations: BackgroundOperations = new BackgroundOperations()
	#nextTx = FIRST_TX

	constructor(tree: SchemeTree, faults: Faults) {
		this.#tree = tree
		this.#faults = faults
	}

	/** A statement with what a replay needs to know. Errors: that collections are switched off. */
	prepare(statement: CollectionStatement): CollectionStatement & Given {
		const { collectionsDisabled, stampOffsetMinutes, keepStreams, olderChangeTables } = this.#faults
		if (collectionsDisabled)
			throw new YdbError(
				'PRECONDITION_FAILED',
				'Backup collections are disabled. Please contact your system administrator to enable it',
			)
		const at = this.#tree.now()
		const local = new Date(at + stampOffsetMinutes * 60_000).toISOString()
		return {
			...statement,
			txId: this.#nextTx,
			at,
			stamp: `${local.slice(0, 19).replaceAll(/[-:T]/g, '')}Z`,
			keepsStreams: keepStreams,
			generation: (2 - Math.min(2, olderChangeTables)) as Generation,
		}
	}

	/** Carries out a change: all of it, or none. */
	apply(change: CollectionChange, owner: string): void {
		this.#nextTx = Math.max(this.#nextTx, change.txId + 1)
		switch (change.kind) {
			case 'create':
				return this.#create(change, owner)
			case 'drop':
				return this.#drop(change)
			case 'backup':
				return change.incremental ? this.#increment(change, owner) : this.#full(change, owner)
			case 'restore':
				return this.#restore(change, owner)
			case 'step':
				this.operations.get(change.txId)!.done++
				return
			case 'end': {
				const operation = this.operations.get(change.txId)!
				operation.end = { failure: change.failure }
				if (operation.kind === 'incbackup') this.#closeStreams(operation)
				return
			}
			case 'forget':
				this.operations.forget(change.txId)
		}
	}

	#create({ name, tables, isIncremental, omitIndexes }: CollectionChange & { kind: 'create' }, owner: string): void {
		const tree = this.#tree
		const root = `${tree.database}/${COLLECTIONS}`
		let path = `${root}/${name}`
		if (name.startsWith('/')) {
			path = name
			if (path.slice(0, path.lastIndexOf('/')) !== root)
				throw new YdbError('SCHEME_ERROR', `Backup collections must be placed in ${root}`)
		} else if (name.includes('/'))
			throw new YdbError('SCHEME_ERROR', `Backup collections must be placed directly in ${root}`)
		if (tree.find(path)) throw pathExists(path)
		tree.makeDirectory(path, owner)
		tree.get(path).collection = { tables, isIncremental, omitIndexes }
	}

	#find(name: string): { readonly path: string; readonly collection: Collection } {
		const tree = this.#tree
		const path = name.startsWith('/') ? name : `${tree.database}/${COLLECTIONS}/${name}`
		const node = tree.find(path)
		if (!node) throw missing(path)
		if (!node.collection)
			throw new YdbError('BAD_REQUEST', `Check failed: path: '${path}', error: path is not a backup collection`)
		if (this.operations.running().some((each) => each.kind === 'restore' && each.collection === path)) throw busy(path)
		return { path, collection: node.collection }
	}

	#drop({ name }: CollectionChange & { kind: 'drop' }): void {
		// The name of DROP is taken as it is: an absolute one is not found.
		if (name.includes('/')) throw missing(`${this.#tree.database}/${COLLECTIONS}/${name}`)
		const { path, collection } = this.#find(name)
		if (this.operations.running().some((each) => each.collection === path))
			throw new YdbError('PRECONDITION_FAILED', `Cannot drop backup collection ${name}: a backup is in progress`)
		this.#tree.removeAll(path)
		for (const member of collection.tables) {
			const table = this.#tree.find(member)?.table
			if (!table || !collection.isIncremental) continue
			table.streams.clear()
			this.#tree.reflect(member)
		}
	}

	#members({ tables, isIncremental, omitIndexes }: Collection): { path: string; relative: string; table: Table }[] {
		const { database } = this.#tree
		return tables.map((path) => {
			const table = this.#tree.find(path)?.table
			if (!table) throw missing(path)
			if (table.isColumnTable)
				throw new YdbError('SCHEME_ERROR', `Check failed: path: '${path}', error: path is not a table`)
			// The text is a guess; that it is refused: issue 30744 of ydb-platform/ydb.
			const asynchronous = table.spec.indexes.find(({ type }) => type.case === 'globalAsyncIndex')
			if (isIncremental && asynchronous && !omitIndexes)
				throw new YdbError(
					'PRECONDITION_FAILED',
					`Cannot back up table ${path} incrementally: async index ${asynchronous.name} is not supported`,
				)
			return { path, relative: path.slice(database.length + 1), table }
		})
	}

	#directory(path: string, owner: string, { at, txId }: Given): void {
		this.#tree.makeDirectory(path, owner)
		this.#tree.get(path).madeBy = { planStep: at, txId }
	}

	#full({ name, ...given }: CollectionChange & { kind: 'backup' }, owner: string): void {
		const tree = this.#tree
		const { path, collection } = this.#find(name)
		const members = this.#members(collection)
		const { isIncremental, omitIndexes } = collection
		const directory = `${path}/${given.stamp}_full`
		const stream = `${given.stamp}_continuousBackupImpl`
		if (tree.find(directory)) throw pathExists(directory)
		if (isIncremental)
			for (const { path: member, table } of members)
				if (table.streams.has(stream)) throw pathExists(`${member}/${stream}`)
		this.#directory(directory, owner, given)
		for (const { path: member, relative, table } of members) {
			const copy = table.copy(tree.step)
			if (omitIndexes) {
				copy.spec.indexes = []
				copy.refresh()
			}
			tree.addTable(`${directory}/${relative}`, copy, owner)
			if (!isIncremental) continue
			for (const old of table.streams.values()) if (old.isOpen && !given.keepsStreams) table.streams.delete(old.name)
			table.streams.set(stream, newStream(stream, tree.step, streamedIndexes(table, omitIndexes)))
			tree.reflect(member)
		}
	}

	#increment({ name, ...given }: CollectionChange & { kind: 'backup' }, owner: string): void {
		const tree = this.#tree
		const { path, collection } = this.#find(name)
		if (!collection.isIncremental)
			throw new YdbError('BAD_REQUEST', 'Incremental backup is disabled on this collection')
		const members = this.#members(collection)
		const directory = `${path}/${given.stamp}_incremental`
		const next = `${given.stamp}_continuousBackupImpl`
		if (tree.find(directory)) throw pathExists(directory)
		const rotated = members.map((member) => {
			const stream = lastStream(member.table)
			if (!stream) throw new YdbError('BAD_REQUEST', 'Last continuous backup stream is not found')
			if (member.table.streams.has(next)) throw pathExists(`${member.path}/${next}`)
			return { ...member, stream }
		})
		this.#directory(directory, owner, given)
		const parts = rotated.flatMap(({ path: member, relative, table, stream }) => {
			stream.isOpen = false
			table.streams.set(next, newStream(next, tree.step, streamedIndexes(table, collection.omitIndexes)))
			tree.reflect(member)
			const log = `${member}/${stream.name}`
			const target = `${directory}/${relative}`
			tree.addTable(target, changeTableOf(table, given.generation, tree.step), owner)
			const ofIndexes = [...stream.indexes.keys()].flatMap((index) => {
				const spec = table.spec.indexes.find((each) => each.name === index)
				if (!spec) return []
				const to = `${directory}/${META}/${relative}/${index}/${INDEX_TABLE}`
				tree.addTable(to, changeTableOf(new IndexTable(table, spec), given.generation, tree.step), owner)
				return [{ from: `${log}/${index}`, to }]
			})
			return [{ from: `${log}/${STREAM_LOG}`, to: target }, ...ofIndexes]
		})
		const { txId, generation, at } = given
		this.operations.add({ kind: 'incbackup', txId, collection: path, parts, generation, at, total: 1 })
	}

	#restore({ name, txId, at }: CollectionChange & { kind: 'restore' }, owner: string): void {
		const tree = this.#tree
		const { path, collection } = this.#find(name)
		const names = [...tree.get(path).children.keys()].toSorted()
		let full = ''
		let increments: string[] = []
		for (const child of names)
			if (child.endsWith('_full')) {
				full = child
				increments = []
			} else if (child.endsWith('_incremental')) increments.push(child)
		if (full === '' && increments.length === 0) throw new YdbError('BAD_REQUEST', 'Nothing to restore')
		const { database } = tree
		const copies = collection.tables.map((to) => ({ to, from: `${path}/${full}/${to.slice(database.length + 1)}` }))
		for (const { from, to } of copies) {
			if (!tree.find(from)?.table) throw missing(from)
			if (tree.find(to)) throw pathExists(to)
		}
		for (const { from, to } of copies) tree.addTable(to, tree.table(from).copy(tree.step), owner)
		const parts = increments.flatMap((increment, step) =>
			copies.map(({ to }) => ({ from: `${path}/${increment}/${to.slice(database.length + 1)}`, to, step })),
		)
		this.operations.add({ kind: 'restore', txId, collection: path, parts, generation: 2, at, total: increments.length })
	}

	/** Does the next step of an operation in the background, and says what it changed; a failure is a text. */
	work(operation: Running): { readonly effects: Effect[] } | { readonly failure: string } {
		try {
			return { effects: operation.kind === 'incbackup' ? this.#offload(operation) : this.#applyNext(operation) }
		} catch (error) {
			return { failure: error instanceof Error ? error.message : String(error) }
		}
	}

	#offload({ parts, generation }: Running): Effect[] {
		const { mergeChanges, streamRetentionMs } = this.#faults
		const since = streamRetentionMs === undefined ? 0 : this.#tree.now() - streamRetentionMs
		return parts.flatMap(({ from, to }) => {
			// A member that was dropped meanwhile took its changes with it.
			const log = this.#tree.find(from)?.table
			const target = this.#tree.find(to)?.table
			if (!log || !target) return []
			return this.#write(to, target, changeRows(target, log, { generation, merges: mergeChanges, since }))
		})
	}

	/** A change table that is not there is passed over: YDB says so in its log only. */
	#applyNext({ parts, done }: Running): Effect[] {
		return parts
			.filter(({ step }) => step === done)
			.flatMap(({ from, to }) => {
				const changes = this.#tree.find(from)?.table
				const target = this.#tree.find(to)?.table
				return changes && target ? this.#write(to, target, applied(changes, target)) : []
			})
	}

	#write(path: string, table: Table, entries: Effect['writes'][number]): Effect[] {
		table.rows.apply(entries)
		return entries.length === 0 ? [] : [{ path, writes: [entries] }]
	}

	#closeStreams({ parts }: Running): void {
		for (const { from } of parts) {
			const [stream, ...rest] = from.split('/').toReversed().slice(1)
			const member = rest.toReversed().join('/')
			const table = this.#tree.find(member)?.table
			if (table?.streams.delete(stream!)) this.#tree.reflect(member)
		}
	}

	/** Refuses to alter a table of a collection. Source: pull request 31443 of ydb-platform/ydb; status and text are guesses. */
	checkAlter(path: string): void {
		if (this.#faults.alterMembers) return
		const own = this.#tree.absolute(path)
		const collections = this.#tree.find(COLLECTIONS)?.children ?? new Map()
		for (const [name, { collection }] of collections)
			if (collection?.isIncremental && collection.tables.includes(own))
				throw new YdbError('PRECONDITION_FAILED', `Cannot alter table ${own}: it belongs to backup collection ${name}`)
	}
}

/** Changes are taken of synchronous indexes only. */
function streamedIndexes(table: Table, omitted: boolean): string[] {
	return omitted ? [] : table.spec.indexes.filter(({ type }) => type.case === 'globalIndex').map(({ name }) => name)
}

const missing = (path: string): YdbError => new YdbError('SCHEME_ERROR', `Path does not exist: ${path}`, 200200)
const busy = (path: string): YdbError =>
	new YdbError('OVERLOADED', `Check failed: path: '${path}', error: path is under operation`)
