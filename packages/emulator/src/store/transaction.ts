import { YdbError } from '../error.ts'
import type { Table } from '../scheme/table.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { type Changed, logChanges } from '../collections/stream.ts'
import { type Entry, RowStore, type StoreRange } from './row-store.ts'

interface Touched {
	readonly path: string
	readonly table: Table
	/** As the table was when it was touched first. */
	readonly base: RowStore
	readonly schemaVersion: number
	/** The base with the writes of the transaction. */
	staged: RowStore | undefined
	readonly writes: Changed[]
	readonly reads: StoreRange[]
}

/** Rows of one table that a commit changed. */
export interface Effect {
	readonly path: string
	readonly writes: readonly (readonly Entry[])[]
}

/** Reads a snapshot and its own writes; at commit, what it read must not have changed. */
export class Transaction {
	readonly #tree: SchemeTree
	readonly #touched = new Map<Table, Touched>()
	/** Whether writes are refused. */
	readonly readOnly: boolean

	constructor(tree: SchemeTree, readOnly = false) {
		this.#tree = tree
		this.readOnly = readOnly
	}

	/** Another transaction is about to change a table: one that has begun to read keeps the state of now, all tables at one moment. */
	#keep(path: string, table: Table): void {
		if (this.#touched.size > 0 && !this.#touched.has(table)) this.#touch(path)
	}

	#touch(path: string): Touched {
		const table = this.#tree.table(path)
		let touched = this.#touched.get(table)
		if (!touched) {
			const { schemaVersion } = table
			const base = table.rows.snapshot()
			touched = { path, table, base, schemaVersion, staged: undefined, writes: [], reads: [] }
			this.#touched.set(table, touched)
		}
		if (touched.table.schemaVersion !== touched.schemaVersion) throw schemaChanged(touched)
		return touched
	}

	/** The rows of a table; the ranges are those that the caller will look at. */
	read(path: string, ranges: readonly StoreRange[]): RowStore {
		const touched = this.#touch(path)
		for (const range of ranges) touched.reads.push(range)
		return touched.staged ?? touched.base
	}

	/** Writes rows, sorted by key, one per key. How they change is for streams of changes. */
	write(path: string, entries: readonly Entry[], change: Omit<Changed, 'entries'> = { op: 'update' }): void {
		if (entries.length === 0) return
		const touched = this.#touch(path)
		const refusal = touched.table.refusesWrites ?? touched.table.readOnlyBecause
		if (refusal) throw new YdbError('BAD_REQUEST', refusal)
		touched.staged ??= touched.base.snapshot()
		touched.staged.apply(entries)
		touched.writes.push({ ...change, entries })
	}

	/** Makes the writes those of the database, or refuses. All or nothing: it runs in one go. The others are open transactions. */
	commit(others: Iterable<Transaction> = []): Effect[] {
		const touched = [...this.#touched.values()]
		if (touched.every(({ writes }) => writes.length === 0)) return []
		for (const each of touched) {
			const { path, table, base, schemaVersion, reads, writes } = each
			if (reads.length === 0 && writes.length === 0) continue
			if (this.#tree.find(path)?.table !== table || table.schemaVersion !== schemaVersion) throw schemaChanged(each)
			if (reads.some((range) => !base.sameRows(table.rows, range)))
				throw new YdbError('ABORTED', `Transaction locks invalidated. Table: \`${path}\``, 2001)
		}
		const effects: Effect[] = []
		for (const other of others)
			if (other !== this) for (const { path, table, staged } of touched) if (staged) other.#keep(path, table)
		for (const { path, table, base, staged, writes } of touched) {
			if (!staged) continue
			const logged = logChanges(table, path, table.rows, writes, this.#tree.now())
			if (table.rows.version === base.version) table.rows = staged
			else for (const { entries } of writes) table.rows.apply(entries)
			effects.push({ path, writes: writes.map(({ entries }) => entries) }, ...logged)
		}
		return effects
	}
}

function schemaChanged({ path }: Touched): YdbError {
	return new YdbError('ABORTED', `Table scheme was changed during the transaction: ${path}`, 2028)
}

/** Effects as bytes for the journal: per table its path and entries, with lengths before everything. */
export function encodeEffects(effects: readonly Effect[]): Buffer {
	const out: Buffer[] = []
	const number = (value: number): void => {
		const bytes = Buffer.allocUnsafe(4)
		bytes.writeInt32LE(value)
		out.push(bytes)
	}
	const piece = (bytes: Buffer | null): void => {
		number(bytes ? bytes.length : -1)
		if (bytes) out.push(bytes)
	}
	for (const { path, writes } of effects)
		for (const entries of writes) {
			piece(Buffer.from(path))
			number(entries.length)
			for (const { key, row } of entries) {
				piece(key)
				piece(row)
			}
		}
	return Buffer.concat(out)
}

/** Carries out effects from a journal. */
export function applyEffects(tree: SchemeTree, bytes: Buffer): void {
	let at = 0
	const number = (): number => {
		at += 4
		return bytes.readInt32LE(at - 4)
	}
	const piece = (): Buffer | null => {
		const length = number()
		if (length < 0) return null
		at += length
		return bytes.subarray(at - length, at)
	}
	while (at < bytes.length) {
		const { rows } = tree.table(piece()!.toString())
		// Rows are copied when they are applied; keys would keep all of the journal in memory.
		const entries = Array.from({ length: number() }, (): Entry => ({ key: Buffer.from(piece()!), row: piece() }))
		rows.apply(entries)
	}
}
