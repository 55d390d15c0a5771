import {
	BackupError,
	type CallOptions,
	type DefinedKind,
	type KeyRange,
	type LeftCopies,
	type LeftCopiesRequest,
	type LeftSnapshot,
	type ObjectDefinition,
	type ObjectKind,
	type ObjectPart,
	type OpenWriterOptions,
	protoFields,
	protoString,
	type ProtoText,
	type RowChunk,
	type Snapshot,
	type SnapshotRequest,
	type SnapshotSink,
	type SnapshotSource,
	type SchemeObject,
	type SnapshotTable,
	type SourceObject,
	type TableSchema,
	type TableTies,
	type TransferTie,
	type TableWriter,
	throwIfInterrupted,
} from '@ydbackup/core'
import { partitionRangesOf, printProtoText, tableSchemaOf } from '@ydbackup/format'
import { createKeyComparator, isInRange, keyTypes } from '@ydbackup/rows'

import { chunkOf, framesOf, type Row, rowFrame } from './row-bytes.ts'

interface Table {
	scheme: ProtoText
	/** Frames by the bytes of the key. */
	readonly rows: Map<string, { readonly key: Uint8Array; readonly frame: Uint8Array }>
}

let identities = 0
const nextIdentity = (): string => `1/${++identities}`

interface Node {
	readonly kind: ObjectKind
	readonly serverKind: string
	permissions: ProtoText
	readonly identity: string
	readonly table?: Table
	readonly definition?: ObjectDefinition
	readonly parts?: ObjectPart[]
}

/** What goes wrong in a fake database. A call is named as the contract names it. */
export interface Faults {
	/** Called before every call; may throw, wait, or change the database. */
	before?: (call: string, path: string) => void | Promise<void>
	/** Reads end cleanly after as many rows. */
	endReadsAfter?: number
	/** Writers take rows and lose those for which it is true. */
	loses?: (id: number) => boolean
	/** Changes the frame of a row as it is written. */
	garbles?: (frame: Uint8Array) => Uint8Array
	chunkRows?: number
}

/**
 * A database in memory that keeps the contracts of snapshot source and sink, with real row bytes: rows are frozen in a snapshot, read
 * in key order by ranges, and written by key.
 */
export class FakeDatabase implements SnapshotSource, SnapshotSink {
	readonly database: string
	readonly nodes: Map<string, Node> = new Map<string, Node>()
	readonly calls: string[] = []
	/** Work directories of snapshots that were not dropped. */
	readonly copies: Set<string> = new Set<string>()
	readonly #frozen = new Map<string, FakeDatabase>()
	/** What hangs on tables. */
	readonly ties: Map<string, TableTies> = new Map<string, TableTies>()
	transferTies: TransferTie[] = []
	faults: Faults = {}
	rootPermissions: ProtoText = []
	/** Why the server does not create a table of this scheme. */
	refuses: ((scheme: ProtoText) => string | undefined) | undefined

	constructor(database = '/local') {
		this.database = database
	}

	addDirectory(path: string, permissions: ProtoText = []): void {
		this.nodes.set(path, { kind: 'directory', serverKind: 'DIRECTORY', permissions, identity: nextIdentity() })
	}

	addTable(path: string, scheme: ProtoText, rows: readonly Row[], permissions: ProtoText = []): void {
		const table: Table = { scheme, rows: new Map() }
		this.nodes.set(path, { kind: 'row-table', serverKind: 'TABLE', permissions, identity: nextIdentity(), table })
		if (rows.length > 0) this.#upsert(path, chunkOf(rows.map(rowFrame), tableSchemaOf(scheme, path)).bytes)
	}

	/** Writes rows as their frames; keys that exist are overwritten. */
	putRows(path: string, frames: readonly Uint8Array[]): void {
		this.#upsert(path, Buffer.concat(frames))
	}

	deleteRow(path: string, key: Uint8Array): void {
		this.#table(path).rows.delete(Buffer.from(key).toString('hex'))
	}

	addOther(path: string, kind: ObjectKind, serverKind: string): void {
		this.nodes.set(path, { kind, serverKind, permissions: [], identity: nextIdentity() })
	}

	/** All that there is, in a form that can be compared. */
	picture(): Record<string, unknown> {
		const entries = Array.from(this.nodes, ([path, node]): [string, unknown] => {
			const text = printProtoText(node.permissions)
			if (node.table === undefined) return [path, { kind: node.kind, permissions: text }]
			const frames = this.#sorted(path).map(({ frame }) => Buffer.from(frame).toString('hex'))
			return [path, { kind: node.kind, permissions: text, scheme: printProtoText(sorted(node.table.scheme)), frames }]
		})
		return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
	}

	rowCount(path: string): number {
		return this.#table(path).rows.size
	}

	async *list(options: CallOptions = {}): AsyncIterable<SourceObject> {
		await this.#enter('list', '', options)
		for (const path of Array.from(this.nodes.keys()).toSorted()) {
			const found = await this.#object(path)
			if (found !== undefined) yield found
		}
	}

	async root(options: CallOptions = {}): Promise<SourceObject> {
		await this.#enter('root', '', options)
		return { path: '', kind: 'directory', serverKind: 'DATABASE', permissions: this.rootPermissions }
	}

	async describe(
		{ path, kind }: { readonly path: string; readonly kind: SchemeObject['kind'] },
		options: CallOptions = {},
	): Promise<SchemeObject> {
		await this.#enter('describe', path, options)
		const node = this.nodes.get(path)
		if (node === undefined) throw new BackupError('PATH_NOT_FOUND', `${path} is not there`)
		const { definition, parts = [] } = node
		const kept =
			kind === 'view' && definition?.form === 'statements'
				? { ...definition, text: definition.text.replace(/CREATE VIEW .* AS\n/u, '') }
				: definition
		return { path, kind, definition: kept, parts, lacking: [] }
	}

	async createObject(
		path: string,
		kind: DefinedKind,
		definition: ObjectDefinition,
		options: CallOptions = {},
	): Promise<void> {
		await this.#enter('createObject', path, options)
		if (this.nodes.has(path)) throw new BackupError('PATH_EXISTS', `${path} exists`)
		this.addObject(path, kind, definition)
	}

	async createPart(path: string, part: ObjectPart, options: CallOptions = {}): Promise<void> {
		await this.#enter('createPart', `${path}/${part.name}`, options)
		const node = this.nodes.get(path)
		if (node === undefined) throw new BackupError('PATH_NOT_FOUND', `${path} is not there`)
		const { parts = [] } = node
		if (parts.some(({ name }) => name === part.name)) throw new BackupError('PATH_EXISTS', `${part.name} exists`)
		this.nodes.set(path, { ...node, parts: [...parts, part] })
	}

	async dropObject(path: string, _kind: DefinedKind, options: CallOptions = {}): Promise<void> {
		await this.#enter('dropObject', path, options)
		this.nodes.delete(path)
	}

	/** A view is given as the whole of its statement. */
	addObject(path: string, kind: DefinedKind, definition: ObjectDefinition, parts: ObjectPart[] = []): void {
		this.nodes.set(path, { kind, serverKind: kind, permissions: [], identity: nextIdentity(), definition, parts })
	}

	async take(request: SnapshotRequest): Promise<Snapshot> {
		await this.#enter('take', request.workDirectory, request)
		const frozen = new FakeDatabase(this.database)
		for (const path of [...request.tables, ...(request.columnTables ?? [])]) {
			const { scheme, rows } = this.#table(path)
			frozen.nodes.set(path, {
				kind: 'row-table',
				serverKind: 'TABLE',
				permissions: [],
				identity: nextIdentity(),
				table: { scheme, rows: new Map(rows) },
			})
		}
		this.copies.add(request.workDirectory)
		this.#frozen.set(request.workDirectory, frozen)
		const tables = await Promise.all(request.tables.map((path) => frozen.describeTable(path)))
		return this.#snapshot(frozen, {
			workDirectory: request.workDirectory,
			after: '2026-11-23T02:15:30.000001Z',
			before: '2026-11-23T02:15:30.500000Z',
			clock: 'server',
			tables,
			copies: request.tables.map((path, index) => ({
				path,
				name: String(index + 1),
				identity: frozen.nodes.get(path)!.identity,
			})),
		})
	}

	async reopen(left: LeftSnapshot, options: CallOptions = {}): Promise<Snapshot> {
		await this.#enter('reopen', left.workDirectory, options)
		const frozen = this.copies.has(left.workDirectory) ? this.#frozen.get(left.workDirectory) : undefined
		const isThere = left.copies.every(({ path, identity }) => frozen?.nodes.get(path)?.identity === identity)
		if (frozen === undefined || !isThere) throw new BackupError('COPIES_GONE', `${left.workDirectory} is another one`)
		return this.#snapshot(frozen, left)
	}

	async openCopies({ workDirectory, tables, signal }: LeftCopiesRequest): Promise<LeftCopies> {
		await this.#enter('openCopies', workDirectory, { signal })
		const frozen = this.copies.has(workDirectory) ? this.#frozen.get(workDirectory) : undefined
		if (frozen === undefined) throw new BackupError('COPIES_GONE', `${workDirectory} is not there`)
		const opened = await Promise.all(tables.map(({ path }) => frozen.describeTable(path)))
		const odd = opened.find(({ schema }, at) => JSON.stringify(schema) !== JSON.stringify(tables[at]!.schema))
		if (odd) throw new BackupError('COPIES_GONE', `${odd.path} has other columns`)
		const { read } = this.#snapshot(frozen, { workDirectory } as LeftSnapshot)
		return { tables: opened, read }
	}

	/** The copies in a work directory, to be looked at and tampered with. */
	copiesIn(workDirectory: string): FakeDatabase {
		return this.#frozen.get(workDirectory)!
	}

	async workDirectories(prefix: string): Promise<readonly string[]> {
		return [...this.copies].filter((name) => name.startsWith(prefix))
	}

	async dropWorkDirectory(workDirectory: string, options: CallOptions = {}): Promise<void> {
		await this.#enter('drop', workDirectory, options)
		this.copies.delete(workDirectory)
	}

	#snapshot(frozen: FakeDatabase, known: LeftSnapshot): Snapshot {
		const { copies } = this
		const enter = (call: string, path: string, options: CallOptions): Promise<void> => this.#enter(call, path, options)
		const faults = (): Faults => this.faults
		return {
			...known,
			async *read(table, range, options = {}) {
				await enter('read', table.path, options)
				frozen.faults = faults()
				yield* frozen.rowsOf(table.path, table.schema, range, options)
			},
			async countRows(table, options = {}) {
				await enter('countRows', table.path, options)
				return BigInt(frozen.rowCount(table.path))
			},
			async drop(options = {}) {
				await enter('drop', known.workDirectory, options)
				copies.delete(known.workDirectory)
			},
			leave: () => enter('leave', known.workDirectory, {}),
		}
	}

	async find(path: string, options: CallOptions = {}): Promise<SourceObject | undefined> {
		await this.#enter('find', path, options)
		return this.#object(path)
	}

	async createDirectory(path: string, options: CallOptions = {}): Promise<void> {
		await this.#enter('createDirectory', path, options)
		this.#makeParents(`${path}/x`)
	}

	async createTable(path: string, scheme: ProtoText, options: CallOptions = {}): Promise<void> {
		await this.#enter('createTable', path, options)
		if (this.nodes.has(path)) throw new BackupError('PATH_EXISTS', `${path} exists`)
		const refusal = this.refuses?.(scheme)
		if (refusal !== undefined) throw new BackupError('DATABASE_REFUSED', refusal)
		this.#makeParents(path)
		this.addTable(path, scheme, [])
	}

	async describeTable(path: string, options: CallOptions = {}): Promise<SnapshotTable> {
		await this.#enter('describeTable', path, options)
		const { scheme } = this.#table(path)
		const schema = tableSchemaOf(scheme, path)
		return { path, scheme, schema, ranges: partitionRangesOf(scheme, schema) ?? [{}] }
	}

	async alterTable(path: string, change: ProtoText, options: CallOptions = {}): Promise<void> {
		await this.#enter('alterTable', path, options)
		const table = this.#table(path)
		for (const { name, value } of change) {
			if (name === 'drop_changefeeds') {
				const node = this.nodes.get(path)!
				const parts = node.parts?.filter((part) => part.name !== protoString([{ name, value }], name)) ?? []
				this.nodes.set(path, { ...node, parts })
				continue
			}
			const field = {
				add_indexes: 'indexes',
				set_ttl_settings: 'ttl_settings',
				alter_partitioning_settings: 'partitioning_settings',
			}[name]
			if (field === undefined) throw new BackupError('DATABASE_REFUSED', `the fake does not know ${name}`)
			const has = field === 'indexes' && printProtoText(table.scheme).includes(printProtoText([{ name: field, value }]))
			if (has) throw new BackupError('DATABASE_REFUSED', 'the index exists')
			const others = field === 'indexes' ? table.scheme : table.scheme.filter((one) => one.name !== field)
			table.scheme = [...others, { name: field, value }]
		}
	}

	async setPermissions(path: string, permissions: ProtoText, options: CallOptions = {}): Promise<void> {
		await this.#enter('setPermissions', path, options)
		const node = this.nodes.get(path)
		if (node === undefined) throw new BackupError('PATH_NOT_FOUND', `${path} is not there`)
		const isOwner = (tree: ProtoText[number]): boolean => printProtoText([tree]).includes('change_owner')
		const known = new Set(node.permissions.map((tree) => printProtoText([tree])))
		const all = [...node.permissions, ...permissions.filter((tree) => !known.has(printProtoText([tree])))]
		node.permissions = [...all.filter(isOwner), ...all.filter((tree) => !isOwner(tree))]
	}

	async openWriter(path: string, schema: TableSchema, options: OpenWriterOptions = {}): Promise<TableWriter> {
		await this.#enter('openWriter', path, options)
		return {
			write: async (chunk) => {
				await this.#enter('write', path, options)
				this.#upsert(path, chunk.bytes)
				options.onWritten?.({ rows: chunk.rows, bytes: chunk.bytes.length })
			},
			finish: () => this.#enter('finish', path, options),
			abort: () => void this.calls.push(`abort ${path}`),
		}
	}

	async countRows(path: string, options: CallOptions = {}): Promise<bigint> {
		await this.#enter('countRows', path, options)
		return BigInt(this.rowCount(path))
	}

	async *read(path: string, schema: TableSchema, range: KeyRange, options: CallOptions = {}): AsyncIterable<RowChunk> {
		await this.#enter('read', path, options)
		yield* this.rowsOf(path, schema, range, options)
	}

	async children(path: string, options: CallOptions = {}): Promise<SourceObject[]> {
		await this.#enter('children', path, options)
		const names = Array.from(this.nodes.keys()).filter((name) => name.split('/').slice(0, -1).join('/') === path)
		return (await Promise.all(names.map((name) => this.#object(name)))).filter((object) => object !== undefined)
	}

	async describeTies(path: string, options: CallOptions = {}): Promise<TableTies> {
		await this.#enter('describeTies', path, options)
		const changefeeds = (this.nodes.get(path)?.parts ?? []).map(({ name }) => name)
		return this.ties.get(path) ?? { changefeeds, isReplica: false, buildingIndexes: [] }
	}

	async transfers(options: CallOptions = {}): Promise<readonly TransferTie[]> {
		await this.#enter('transfers', '', options)
		return this.transferTies
	}

	async renameTables(moves: readonly (readonly [string, string])[], options: CallOptions = {}): Promise<void> {
		await this.#enter('renameTables', moves.map((pair) => pair.join(' > ')).join(', '), options)
		const after = new Map(this.nodes)
		for (const [from, to] of moves) {
			const node = after.get(from)
			if (node === undefined) throw new BackupError('PATH_NOT_FOUND', `${from} is not there`)
			if (after.has(to)) throw new BackupError('PATH_EXISTS', `${to} exists`)
			after.delete(from)
			after.set(to, node)
		}
		this.nodes.clear()
		for (const [path, node] of after) this.nodes.set(path, node)
		await this.#enter('renamed', '', options)
	}

	async dropTable(path: string, options: CallOptions = {}): Promise<void> {
		await this.#enter('dropTable', path, options)
		this.nodes.delete(path)
	}

	async removeDirectory(path: string, options: CallOptions = {}): Promise<void> {
		await this.#enter('removeDirectory', path, options)
		if (Array.from(this.nodes.keys()).some((other) => other.startsWith(`${path}/`))) {
			throw new BackupError('DATABASE_REFUSED', `${path} is not empty`)
		}
		this.nodes.delete(path)
	}

	async *rowsOf(path: string, schema: TableSchema, range: KeyRange, options: CallOptions): AsyncGenerator<RowChunk> {
		const compare = createKeyComparator(keyTypes(schema))
		const rows = this.#sorted(path).filter(({ key }) => isInRange(key, range, compare))
		const whole = rows.slice(0, this.faults.endReadsAfter ?? rows.length)
		const { chunkRows = 40 } = this.faults
		for (let at = 0; at < whole.length; at += chunkRows) {
			await Promise.resolve()
			throwIfInterrupted(options.signal, `reading ${path}`)
			yield chunkOf(
				whole.slice(at, at + chunkRows).map(({ frame }) => frame),
				schema,
			)
		}
	}

	async #enter(call: string, path: string, { signal }: CallOptions): Promise<void> {
		this.calls.push(`${call} ${path}`)
		await this.faults.before?.(call, path)
		throwIfInterrupted(signal, `${call} ${path}`)
	}

	#table(path: string): Table {
		const table = this.nodes.get(path)?.table
		if (table === undefined) throw new BackupError('PATH_NOT_FOUND', `${path} is not there`)
		return table
	}

	async #object(path: string): Promise<SourceObject | undefined> {
		const node = this.nodes.get(path)
		if (node === undefined) return undefined
		const { kind, serverKind, permissions, identity } = node
		return { path, kind, serverKind, permissions, identity }
	}

	#makeParents(path: string): void {
		const names = path.split('/')
		for (let depth = 1; depth < names.length; depth++) {
			const parent = names.slice(0, depth).join('/')
			if (!this.nodes.has(parent)) this.addDirectory(parent)
		}
	}

	#upsert(path: string, bytes: Uint8Array): void {
		const table = this.#table(path)
		const schema = tableSchemaOf(table.scheme, path)
		for (const frame of framesOf(bytes)) {
			const kept = this.faults.garbles?.(frame) ?? frame
			const { firstKey: key } = chunkOf([kept], schema)
			const name = Buffer.from(key).toString('hex')
			if (this.faults.loses?.(table.rows.size) !== true) table.rows.set(name, { key, frame: kept })
		}
	}

	#sorted(path: string): { readonly key: Uint8Array; readonly frame: Uint8Array }[] {
		const { scheme, rows } = this.#table(path)
		const compare = createKeyComparator(keyTypes(tableSchemaOf(scheme, path)))
		return Array.from(rows.values()).toSorted((a, b) => compare(a.key, b.key))
	}
}

/** Order counts within repeated fields only. */
function sorted(tree: ProtoText): ProtoText {
	const names = Array.from(new Set(tree.map((field) => field.name))).toSorted()
	return names.flatMap((name) => tree.filter((field) => field.name === name))
}

export function indexNames(scheme: ProtoText): (string | undefined)[] {
	return protoFields(scheme, 'indexes').map((value) =>
		value.kind === 'message' ? protoString(value.fields, 'name') : undefined,
	)
}
