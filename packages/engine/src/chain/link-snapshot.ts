import {
	BackupError,
	type KeyRange,
	messageField,
	type ProtoText,
	type ReadRowsOptions,
	type RowChunk,
	type Snapshot,
	type SnapshotTable,
	type Storage,
	type TableSchema,
	textField,
} from '@ydbackup/core'
import { changes as changeFormat, type ManifestNote, printProtoText, type StoredLink } from '@ydbackup/format'
import { RowHash, typeToText } from '@ydbackup/rows'

import { Balance, type RowTotals } from '../changes/balance.ts'
import { diffRows, type OrderedRows, spellKey } from '../changes/diff-rows.ts'
import { RowOutput } from '../changes/row-output.ts'
import { openScheme } from '../part/contents.ts'
import type { ChainTable, OpenedChain } from './open-chain.ts'
import { copyGone, type ParentCopy } from './parent-copy.ts'
import { readChainTable, totalsOf } from './read-chain-table.ts'

/** A snapshot whose tables hold what changed since a backup, and what is known of the tables themselves. */
export interface LinkSnapshot extends Snapshot {
	/**
	 * Known when the table's changes have been read to their end; undefined when the source knows changes alone. Errors: `INTERNAL`
	 * before that.
	 */
	stateOf(path: string): RowTotals | undefined
	/** What the link must remember of the table; undefined for {@link indexChanges}. */
	linkOf(path: string): StoredLink | undefined
	/** The rows of the table itself as the server counts them. Absent when the server counts the changes: then `countRows` does it. */
	readonly countState?: (path: string, options?: ReadRowsOptions) => Promise<bigint>
	/** Paths of tables that hold the changes of indexes, not of tables. */
	readonly indexChanges?: ReadonlySet<string> | undefined
	/** Streams that the reading of one table keeps open. Default 1. */
	readonly streams?: number | undefined
	/** Tables whose rows at the parent are read from the copy that it kept. */
	readonly fromCopy?: number | undefined
	/** What is not certain of the link, for the manifest's notes; known when everything has been read. */
	readonly doubts?: () => readonly ManifestNote[]
}

async function* nothing(): AsyncGenerator<RowChunk> {}

export interface LinkSnapshotOptions {
	readonly snapshot: Snapshot
	readonly parent: OpenedChain
	readonly storage: Storage
	/** Rows of the parent are read from it where what was compared proves them, else from the storage. */
	readonly copy?: ParentCopy | undefined
	/** Called while rows pass that are no change. */
	readonly touch: () => void
}

/**
 * The difference between a snapshot and a chain, as a snapshot: each table is a change table, in the form in which YDB keeps those of
 * backup collections, of one part in key order. Rows of both sides are read side by side and streamed; nothing is kept. Reading fails with
 * `COPIES_GONE` when the copy does not hold the rows that the parent counted and hashed.
 */
export function linkSnapshot({ snapshot, parent, storage, copy, touch }: LinkSnapshotOptions): LinkSnapshot {
	const originals = new Map(snapshot.tables.map((table) => [table.path, table]))
	const before = new Map(parent.tables.map((table) => [table.stored.path, table]))
	const states = new Map<string, RowTotals>()

	/** The table that the changes are against; undefined for one that is new, also under an old name with another key. */
	function parentOf(table: SnapshotTable): ChainTable | undefined {
		const found = before.get(table.path)
		return found && spellKey(openScheme(found.stored).schema) === spellKey(table.schema) ? found : undefined
	}

	async function* rowsNow(original: SnapshotTable, options: ReadRowsOptions): AsyncGenerator<RowChunk> {
		const hash = new RowHash(original.schema)
		for (const range of original.ranges) {
			for await (const chunk of snapshot.read(original, range, options)) {
				hash.add(chunk)
				touch()
				yield chunk
			}
		}
		states.set(original.path, { rows: hash.rows, rowHash: hash.digest() })
	}

	/** Where the copy of a table lies, when its rows were hashed and have the columns that they have now. */
	function copyOf(now: SnapshotTable): SnapshotTable | undefined {
		const found = copy?.tables.get(now.path)
		const table = found && parentOf(now)
		return table && totalsOf(table.stored, now.schema) && found
	}

	async function* rowsCopied(table: SnapshotTable, options: ReadRowsOptions): AsyncGenerator<RowChunk> {
		for await (const chunk of copy!.read(table, options)) {
			touch()
			yield chunk
		}
	}

	/** `onlyStored`: see {@link readChainTable}. */
	function rowsBefore(
		table: ChainTable | undefined,
		schema: TableSchema,
		onlyStored: boolean,
		signal: AbortSignal | undefined,
	): OrderedRows {
		if (table === undefined) return { schema, chunks: nothing() }
		const meter = { openPart: () => ({ add: touch, takeBack() {} }) }
		return {
			schema: openScheme(table.stored).schema,
			isGivenUp: true,
			chunks: readChainTable({ storage, table, meter, onlyStored, signal }),
		}
	}

	function original(path: string): SnapshotTable {
		const found = originals.get(path)
		if (found === undefined) throw new BackupError('INTERNAL', `the snapshot does not hold ${path}`)
		return found
	}

	const fromCopy = snapshot.tables.filter((table) => copyOf(table) !== undefined).length
	return {
		workDirectory: snapshot.workDirectory,
		after: snapshot.after,
		before: snapshot.before,
		clock: snapshot.clock,
		tables: snapshot.tables.map((table) => {
			const schema = changeFormat.changeTableSchema(table.schema)
			return { path: table.path, scheme: schemeOf(schema), schema, ranges: [{}] }
		}),
		async *read(table: SnapshotTable, _range: KeyRange, options: ReadRowsOptions = {}) {
			const now = original(table.path)
			const parentTable = parentOf(now)
			const totals = parentTable && totalsOf(parentTable.stored, now.schema)
			const balance = totals && new Balance(now.schema)
			const copied = copyOf(now)
			// The comparison finds out whether the rows rise, where those before are proven by their hash.
			const reading: ReadRowsOptions = { ...options, isEachChecked: balance === undefined }
			const both: ReadRowsOptions = { ...reading, inTurns: {} }
			const past = copied
				? { schema: now.schema, isGivenUp: true, chunks: rowsCopied(copied, both) }
				: rowsBefore(parentTable, now.schema, balance !== undefined, options.signal)
			const writer = changeFormat.createChangeWriter(table.schema, changeFormat.freshColumnMap(table.schema))
			const out = new RowOutput(table.schema)
			states.delete(now.path)
			const next = { schema: now.schema, isGivenUp: true, chunks: rowsNow(now, copied ? both : reading) }
			for await (const batch of diffRows(now.path, past, next, balance)) {
				for (const change of batch) {
					const ready = out.makeRoom(writer.open(change))
					writer.write(out.bytes, out.at)
					if (ready) yield ready
				}
			}
			const rest = out.flush()
			if (rest) yield rest
			if (totals === undefined || balance!.isEven(totals, states.get(now.path)!)) return
			if (copied !== undefined) {
				const { id } = parent.manifests.at(-1)!
				throw copyGone(copy!.place, `its copy of ${now.path} does not hold the rows that ${id} counted and hashed`)
			}
			throw new BackupError(
				'CHAIN_BROKEN',
				`${now.path}: the rows that were read of the backup before are not those that it counted and hashed`,
				{ reason: 'gap', advice: 'take a full backup, and report this: each of the files is whole' },
			)
		},
		// The server knows the table's rows, not its changes.
		countRows: () => Promise.reject(new BackupError('INTERNAL', 'changes cannot be counted by the server')),
		drop: (options) => snapshot.drop(options),
		leave: () => snapshot.leave(),
		stateOf(path) {
			const state = states.get(path)
			if (state === undefined) throw new BackupError('INTERNAL', `the changes of ${path} have not been read`)
			return state
		},
		linkOf(path) {
			const now = original(path)
			const map = changeFormat.freshColumnMap(changeFormat.changeTableSchema(now.schema))
			return {
				scheme: printProtoText(now.scheme, { unknownFields: 'keep' }),
				isNew: parentOf(now) === undefined,
				columns: Object.fromEntries(Array.from(map, ([id, name]) => [String(id), name])),
			}
		},
		countState: (path, options) => snapshot.countRows(original(path), options),
		streams: 1 + (fromCopy === snapshot.tables.length ? 1 : parent.manifests.length),
		fromCopy,
	}
}

/** A `CreateTableRequest` of columns and key alone. */
function schemeOf({ columns, primaryKey }: TableSchema): ProtoText {
	return [
		...columns.map(({ name, type }) =>
			messageField('columns', [textField('name', name), messageField('type', typeToText(type))]),
		),
		...primaryKey.map((name) => textField('primary_key', name)),
	]
}
