import { ExecMode, QueryServiceDefinition, Syntax } from '@ydbjs/api/query'
import { BackupError, type CallOptions, type ReadRowsOptions, type RowChunk, type SnapshotTable } from '@ydbackup/core'
import { forEachAbreast } from '../call/abreast.ts'
import { bounded } from '../call/bounded.ts'
import { callError, QUERY_ISSUES, refusalError, SUCCESS } from '../call/failure.ts'
import { patiently } from '../call/patience.ts'
import { quotePath } from '../call/query.ts'
import { readByQuery } from '../rows/read-by-query.ts'
import { describeTable, snapshotTableOf } from '../scheme/table-description.ts'
import { lostSnapshot, openQuerySnapshot, type QuerySnapshot } from './query-snapshot.ts'
import type { SnapshotContext } from './take.ts'

const COUNT_MS = 600_000

/** Column tables as of one moment. */
export interface ColumnTables {
	readonly tables: readonly SnapshotTable[]
	holds(path: string): boolean
	read(table: SnapshotTable, options?: ReadRowsOptions): AsyncIterable<RowChunk>
	countRows(path: string, options?: CallOptions): Promise<bigint>
	/** May be called twice. */
	close(): Promise<void>
}

/** Opens one transaction for all of them, and fixes its moment. */
export async function takeColumnTables(
	{ control, database, data }: SnapshotContext,
	paths: readonly string[],
	signal: AbortSignal | undefined,
): Promise<ColumnTables> {
	const absolute = (path: string): string => `${database}/${path}`
	const tables = await forEachAbreast(paths, async (path) => {
		const live = await describeTable(control, absolute(path), { signal })
		// Where rows lie is the server's business: they are read as one.
		const { scheme, schema } = snapshotTableOf(path, live, { ...live, shardKeyBounds: [] })
		return { path, scheme, schema, ranges: [{}] }
	})
	const reader = await data(signal)
	const doing = `take ${paths.length} column tables at one moment`
	const snapshot = await patiently({ doing, signal }, async () => {
		const opened = await openQuerySnapshot(reader.driver, doing, signal)
		try {
			// The moment is that of the first query.
			await count(reader.driver, opened, `SELECT COUNT(*) FROM ${quotePath(absolute(paths[0]!))};`, doing, signal)
			return opened
		} catch (error) {
			await opened.close()
			throw error
		}
	})
	const known = new Set(paths)
	return {
		tables,
		holds: (path) => known.has(path),
		async *read({ path, schema }, options) {
			const { driver, budget } = await data(options?.signal)
			yield* readByQuery({ driver, budget, snapshot, path: absolute(path), schema }, options)
		},
		async countRows(path, options) {
			const counting = `count the rows of ${absolute(path)}`
			const { driver } = await data(options?.signal)
			return patiently({ doing: counting, signal: options?.signal }, async () => {
				try {
					return await count(
						driver,
						snapshot,
						`SELECT COUNT(*) FROM ${quotePath(absolute(path))};`,
						counting,
						options?.signal,
					)
				} catch (error) {
					throw lostSnapshot(callError(error, counting), counting)
				}
			})
		},
		close: () => snapshot.close(),
	}
}

async function count(
	driver: SnapshotDriver,
	snapshot: QuerySnapshot,
	text: string,
	doing: string,
	signal: AbortSignal | undefined,
): Promise<bigint> {
	const { sessionId, txId } = snapshot
	const client = driver.createClient(QueryServiceDefinition)
	const ask = async function* (): AsyncGenerator<bigint> {
		const request = {
			sessionId,
			execMode: ExecMode.EXECUTE,
			txControl: { txSelector: { case: 'txId' as const, value: txId }, commitTx: false },
			query: { case: 'queryContent' as const, value: { syntax: Syntax.YQL_V1, text } },
		}
		let found: bigint | undefined
		await bounded(signal, COUNT_MS, async (bound) => {
			for await (const { status, issues, resultSet } of client.executeQuery(request, { signal: bound })) {
				if (status !== SUCCESS) throw refusalError({ status, issues }, doing, QUERY_ISSUES)
				const value = resultSet?.rows[0]?.items[0]?.value
				if (value?.case === 'uint64Value') found = value.value
			}
		})
		if (found === undefined) throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: the answer is no number`)
		yield found
	}
	for await (const found of snapshot.inTurn(ask)) return found
	throw new BackupError('INTERNAL', `cannot ${doing}: no answer`)
}

type SnapshotDriver = Awaited<ReturnType<SnapshotContext['data']>>['driver']
