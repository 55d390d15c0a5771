import { DescribeTableResultSchema, type DescribeTableResult } from '@ydbjs/api/table'
import { clone, create, equals } from '@bufbuild/protobuf'
import type { Driver } from '@ydbjs/core'
import {
	BackupError,
	isBackupError,
	type Snapshot,
	type SnapshotRequest,
	type SnapshotTable,
	throwIfInterrupted,
} from '@ydbackup/core'
import { query, quotePath } from '../call/query.ts'
import { readRange, type RangeReader } from '../rows/read-range.ts'
import { describeTable, snapshotTableOf } from '../scheme/table-description.ts'
import { now } from './clock.ts'
import { copyTables, dropTable, freeze, makeDirectory, MAX_COPIES, removeDirectory } from './copies.ts'

export interface SnapshotContext {
	readonly control: Driver
	readonly database: string
	/** The connection and budget that rows are read with. */
	readonly data: () => Promise<Pick<RangeReader, 'driver' | 'budget'>>
}

const ABREAST = 16

/** Calls with at most sixteen under way; results in order. The first error wins, after all have ended. */
async function forEachAbreast<T, R>(items: readonly T[], work: (item: T, at: number) => Promise<R>): Promise<R[]> {
	const results: R[] = []
	let next = 0
	let failed: { readonly error: unknown } | undefined
	const worker = async (): Promise<void> => {
		while (next < items.length && !failed) {
			const at = next++
			try {
				results[at] = await work(items[at]!, at)
			} catch (error) {
				failed ??= { error }
			}
		}
	}
	await Promise.all(Array.from({ length: Math.min(ABREAST, items.length) }, worker))
	if (failed) throw failed.error
	return results
}

/** What a copy must have in common with its original. */
function shapeOf(table: DescribeTableResult): DescribeTableResult {
	const { columns, primaryKey } = clone(DescribeTableResultSchema, table)
	return create(DescribeTableResultSchema, { columns, primaryKey })
}

/** One consistent copy of tables, frozen. After an error nothing of it is left. */
export async function takeSnapshot(
	context: SnapshotContext,
	{ tables, workDirectory, signal }: SnapshotRequest,
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
	const copyOf = new Map(tables.map((path, at) => [path, `${work}/${String(at + 1).padStart(5, '0')}`]))
	let made = false
	const drop = async (by: AbortSignal | undefined): Promise<void> => {
		if (!made) return
		await forEachAbreast([...copyOf.values()], (path) => dropTable(control, path, { signal: by }))
		await removeDirectory(control, work, { signal: by })
	}
	try {
		const originals = await forEachAbreast(tables, (path) => describeTable(control, absolute(path), { signal }))
		// A type that cannot be kept is found before anything is created.
		for (const [at, path] of tables.entries()) snapshotTableOf(path, originals[at]!, originals[at]!)
		const before = await now(control, signal)
		if (tables.length > 0) {
			await makeDirectory(control, work, { signal })
			made = true
			await copyTables(
				control,
				tables.map((path) => [absolute(path), copyOf.get(path)!]),
				signal,
			)
		}
		const after = await now(control, signal)
		const taken: SnapshotTable[] = await forEachAbreast(tables, async (path, at) => {
			const original = originals[at]!
			const place = copyOf.get(path)!
			const copy = await describeTable(control, place, { signal })
			if (!equals(DescribeTableResultSchema, shapeOf(original), shapeOf(copy)))
				throw new BackupError('SCHEMA_CHANGED', `table ${path} was altered while the snapshot was taken`, {
					retry: 'later',
					advice: 'start the backup again',
				})
			await freeze(control, place, copy, signal)
			return snapshotTableOf(path, original, copy)
		})
		return {
			workDirectory,
			after: before.text,
			before: after.text,
			clock: before.clock === 'server' ? after.clock : 'client',
			tables: taken,
			async *read({ path, schema }, range, options) {
				const reader = await context.data()
				yield* readRange({ ...reader, path: copyOf.get(path)!, schema }, range, options)
			},
			countRows: ({ path }, options) => countRows(control, copyOf.get(path)!, options?.signal),
			drop: (options) => drop(options?.signal),
		}
	} catch (error) {
		// The removal has a time of its own: a signal that stopped the work must not stop it.
		await drop(AbortSignal.timeout(60_000))
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
