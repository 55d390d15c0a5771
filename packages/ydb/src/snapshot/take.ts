import { DescribeTableResultSchema, type DescribeTableResult } from '@ydbjs/api/table'
import { clone, create, equals } from '@bufbuild/protobuf'
import type { Driver } from '@ydbjs/core'
import {
	BackupError,
	isBackupError,
	type KeyRange,
	type ReadRowsOptions,
	type RowChunk,
	type Snapshot,
	type SnapshotCopy,
	type SnapshotRequest,
	type SnapshotTable,
	throwIfInterrupted,
} from '@ydbackup/core'
import { forEachAbreast } from '../call/abreast.ts'
import { callError } from '../call/failure.ts'
import { query, quotePath } from '../call/query.ts'
import { readRange, type RangeReader } from '../rows/read-range.ts'
import { SharedTake } from '../rows/shared-take.ts'
import { describeTable, snapshotTableOf } from '../scheme/table-description.ts'
import { identityOf } from '../scheme/walk.ts'
import { momentsBetween, now } from './clock.ts'
import { type ColumnTables, takeColumnTables } from './column-tables.ts'
import {
	copyName,
	copyTables,
	dropTable,
	freeze,
	GRACE_MS,
	listDirectory,
	makeDirectory,
	MAX_COPIES,
	removeDirectory,
} from './copies.ts'

export interface SnapshotContext {
	readonly control: Driver
	readonly database: string
	/** The connection and budget that rows are read with. */
	readonly data: (signal: AbortSignal | undefined) => Promise<Pick<RangeReader, 'driver' | 'budget'>>
}

const REMOVAL_MS = 60_000

/** What a copy must have in common with its original: columns without the state of their sequences, and the key. */
function shapeOf(table: DescribeTableResult): DescribeTableResult {
	const { columns, primaryKey } = clone(DescribeTableResultSchema, table)
	for (const { defaultValue } of columns) if (defaultValue.case === 'fromSequence') delete defaultValue.value.setVal
	return create(DescribeTableResultSchema, { columns, primaryKey })
}

/** How the copies of a snapshot can be found again; undefined where the server does not tell them from others. */
async function copiesIn(
	control: Driver,
	work: string,
	copyOf: ReadonlyMap<string, string>,
	signal: AbortSignal | undefined,
): Promise<SnapshotCopy[] | undefined> {
	if (copyOf.size === 0) return []
	const entries = new Map((await listDirectory(control, work, { signal }))?.map((entry) => [entry.name, entry]))
	const copies = Array.from(copyOf, ([path, place]) => {
		const name = place.slice(work.length + 1)
		const entry = entries.get(name)
		return { path, name, identity: entry && identityOf(entry) }
	})
	return copies.every((copy): copy is SnapshotCopy => copy.identity !== undefined) ? copies : undefined
}

/** A snapshot of copies that are there. `copyOf` has the absolute path of each. */
export function openSnapshot(
	context: SnapshotContext,
	known: Pick<Snapshot, 'workDirectory' | 'after' | 'before' | 'clock' | 'tables' | 'copies'>,
	copyOf: ReadonlyMap<string, string>,
	drop: (signal: AbortSignal | undefined) => Promise<void>,
): Snapshot {
	const { control } = context
	return {
		...known,
		read: ({ path, schema }, range, options) => readCopy(context, { path: copyOf.get(path)!, schema }, range, options),
		countRows: ({ path }, options) => countRows(control, copyOf.get(path)!, options?.signal),
		drop: (options) => drop(options?.signal),
		leave: () => Promise.resolve(),
	}
}

const shares = new WeakMap<object, SharedTake>()

/** The rows of a table that nobody writes to. */
export async function* readCopy(
	{ data }: SnapshotContext,
	copy: Pick<RangeReader, 'path' | 'schema'>,
	range: KeyRange,
	options: ReadRowsOptions = {},
): AsyncGenerator<RowChunk> {
	const { inTurns, signal } = options
	const { driver, budget } = await data(signal)
	const share = inTurns && (shares.get(inTurns) ?? new SharedTake(budget))
	if (inTurns && share) shares.set(inTurns, share)
	yield* readRange({ driver, budget: share ?? budget, ...copy }, range, options)
}

/** What a transaction reads ends with its process: such a snapshot cannot be opened again. */
function withColumnTables(rows: Snapshot, columns: ColumnTables): Snapshot {
	return {
		...rows,
		tables: [...rows.tables, ...columns.tables],
		read: (table, range, options) =>
			columns.holds(table.path) ? columns.read(table, options) : rows.read(table, range, options),
		countRows: (table, options) =>
			columns.holds(table.path) ? columns.countRows(table.path, options) : rows.countRows(table, options),
		leave: () => columns.close(),
	}
}

/** One consistent copy of tables, frozen. After an error nothing of it is left. */
export async function takeSnapshot(
	context: SnapshotContext,
	{ tables, columnTables = [], workDirectory, signal }: SnapshotRequest,
): Promise<Snapshot> {
	const { control, database } = context
	if (tables.length > MAX_COPIES)
		throw new BackupError(
			'TOO_MANY_TABLES',
			`${tables.length} tables were chosen, and one consistent copy can hold ${MAX_COPIES}`,
			{
				advice: 'take several backups of parts of the database with --path or --include',
			},
		)
	const work = `${database}/${workDirectory}`
	const absolute = (path: string): string => `${database}/${path}`
	const copyOf = new Map(tables.map((path, at) => [path, `${work}/${copyName(at)}`]))
	let isOurs = false
	let columns: ColumnTables | undefined
	const drop = async (by: AbortSignal | undefined): Promise<void> => {
		await columns?.close()
		if (!isOurs) return
		// One table that cannot be dropped keeps no other one.
		await forEachAbreast([...copyOf.values()], (path) => dropTable(control, path, { signal: by }), 'go on')
		await removeDirectory(control, work, { signal: by })
	}
	try {
		// Whatever needs no answer of another call is asked at the same time: these are waits, and rows go on changing.
		const [originals, before, there] = await Promise.all([
			forEachAbreast(tables, (path) => describeTable(control, absolute(path), { signal })),
			now(control, signal),
			tables.length > 0 ? listDirectory(control, work, { signal }) : undefined,
		])
		// A type that cannot be kept is found before anything is created.
		for (const [at, path] of tables.entries()) snapshotTableOf(path, originals[at]!, originals[at]!)
		if (tables.length > 0) {
			// What is there before us is not ours to remove.
			if (there)
				throw new BackupError('PATH_EXISTS', `the work directory ${work} exists`, {
					advice: 'start the backup again: it chooses another name',
				})
			isOurs = true
			await makeDirectory(control, work, { signal, graceMs: GRACE_MS })
			await copyTables(
				control,
				work,
				tables.map((path) => [absolute(path), copyOf.get(path)!]),
				signal,
			)
		}
		if (columnTables.length > 0) columns = await takeColumnTables(context, columnTables, signal)
		const [after, copied, copies] = await Promise.all([
			now(control, signal),
			forEachAbreast(tables, (path) => describeTable(control, copyOf.get(path)!, { signal })),
			columns === undefined ? copiesIn(control, work, copyOf, signal) : undefined,
		])
		// Behind all that only reads: when this fails, nothing that writes may be under way any more.
		const taken = await forEachAbreast(tables, async (path, at): Promise<SnapshotTable> => {
			const [original, copy] = [originals[at]!, copied[at]!]
			if (!equals(DescribeTableResultSchema, shapeOf(original), shapeOf(copy)))
				throw new BackupError('SCHEMA_CHANGED', `table ${path} was altered while the snapshot was taken`, {
					retry: 'later',
					advice: 'start the backup again',
				})
			await freeze(control, copyOf.get(path)!, copy, signal)
			return snapshotTableOf(path, original, copy)
		})
		const moments = momentsBetween(before, after)
		const rows = openSnapshot(context, { workDirectory, ...moments, tables: taken, copies }, copyOf, drop)
		return columns === undefined ? rows : withColumnTables(rows, columns)
	} catch (error) {
		// The removal has a time of its own: a signal that stopped the work must not stop it.
		await drop(AbortSignal.timeout(REMOVAL_MS)).catch((left: unknown) => {
			const { code, message } = isBackupError(error) ? error : callError(error, 'take the snapshot')
			throw new BackupError(code, `${message}; afterwards the copies in ${work} could not be removed`, {
				advice: `drop the tables in ${work} and the directory`,
				cause: new AggregateError([error, left]),
			})
		})
		throwIfInterrupted(signal, 'taking the snapshot')
		if (isBackupError(error, 'PATH_NOT_FOUND'))
			throw new BackupError('PATH_NOT_FOUND', `a table is gone: ${error.message}`, {
				advice: 'start the backup again: it lists the tables anew',
				retry: 'later',
				cause: error,
			})
		throw error
	}
}

export async function countRows(driver: Driver, path: string, signal: AbortSignal | undefined): Promise<bigint> {
	const doing = `count the rows of ${path}`
	const [row] = await query(driver, `SELECT COUNT(*) AS n FROM ${quotePath(path)};`, { doing, signal })
	const value = row?.items[0]?.value
	if (value?.case !== 'uint64Value')
		throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: the answer is no number`)
	return value.value
}

/** Of a column of whole numbers; undefined for a table without rows. */
export async function largestValue(
	driver: Driver,
	path: string,
	column: string,
	signal: AbortSignal | undefined,
): Promise<bigint | undefined> {
	const doing = `look for the largest ${column} of ${path}`
	const [row] = await query(driver, `SELECT MAX(${quotePath(column)}) AS n FROM ${quotePath(path)};`, { doing, signal })
	const { case: kind, value } = row?.items[0]?.value ?? {}
	if (kind === 'nullFlagValue') return undefined
	return typeof value === 'bigint' || typeof value === 'number' ? BigInt(value) : undefined
}
