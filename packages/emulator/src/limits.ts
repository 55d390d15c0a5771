import { YdbError } from './error.ts'

const DOCUMENTED = "verified: YDB's documentation, concepts/limits-ydb"
const SHARD = 'verified: ydb/core/tx/datashard/datashard.h (NLimits) and its unit tests'

interface Limit {
	readonly value: number
	/** `verified: <source>`, or `guess`. */
	readonly source: string
}

export type LimitName =
	| 'pathDepth'
	| 'paths'
	| 'childrenOfDirectory'
	| 'nameLength'
	| 'columns'
	| 'columnNameLength'
	| 'keyColumns'
	| 'indexes'
	| 'tablesToCopy'
	| 'partitions'
	| 'sessionsOfNode'
	| 'keyBytes'
	| 'cellBytes'
	| 'keyUint8'
	| 'transactionsOfSession'
	| 'messageBytes'
	| 'resultRows'
	| 'changefeeds'

/** The limits of YDB that the emulator keeps, and where each is known from. */
export const LIMITS: Readonly<Record<LimitName, Limit>> = {
	pathDepth: { value: 32, source: DOCUMENTED },
	paths: { value: 10_000, source: DOCUMENTED },
	childrenOfDirectory: { value: 100_000, source: DOCUMENTED },
	nameLength: { value: 255, source: DOCUMENTED },
	columns: { value: 200, source: DOCUMENTED },
	columnNameLength: { value: 255, source: DOCUMENTED },
	keyColumns: { value: 20, source: DOCUMENTED },
	indexes: { value: 20, source: DOCUMENTED },
	tablesToCopy: { value: 10_000, source: DOCUMENTED },
	partitions: { value: 35_000, source: DOCUMENTED },
	sessionsOfNode: { value: 1000, source: DOCUMENTED },
	keyBytes: { value: 1_049_600, source: SHARD },
	cellBytes: { value: 16 << 20, source: SHARD },
	keyUint8: { value: 127, source: 'verified: ydb/core/tx/datashard/datashard_common_upload.cpp' },
	transactionsOfSession: { value: 10, source: DOCUMENTED },
	messageBytes: { value: 64 << 20, source: 'guess' },
	/** Of the table service. */
	resultRows: { value: 1000, source: DOCUMENTED },
	/** Of one table. */
	changefeeds: { value: 5, source: 'verified: measured on servers with default settings' },
}

/** Limits that tests and large databases may set otherwise. */
export type Limits = Record<
	Exclude<
		LimitName,
		| 'keyBytes'
		| 'cellBytes'
		| 'keyUint8'
		| 'messageBytes'
		| 'resultRows'
		| 'tablesToCopy'
		| 'partitions'
		| 'changefeeds'
	>,
	number
>

export function limitsOf(others: Partial<Limits> = {}): Limits {
	const all = Object.entries(LIMITS).map(([name, { value }]) => [name, value])
	return { ...(Object.fromEntries(all) as Limits), ...others }
}

/** Limits of a table's shape. Statuses and texts are guesses. */
export function checkShape(
	limits: Limits,
	{
		columns,
		primaryKey,
		indexes,
	}: { columns: readonly { name: string }[]; primaryKey: readonly string[]; indexes: readonly unknown[] },
): void {
	const check = (what: string, count: number, most: number): void => {
		if (count > most) throw new YdbError('GENERIC_ERROR', `Too many ${what}: ${count}, the limit is ${most}`)
	}
	check('columns', columns.length, limits.columns)
	check('key columns', primaryKey.length, limits.keyColumns)
	check('indexes', indexes.length, limits.indexes)
	for (const { name } of columns)
		if (name.length > limits.columnNameLength)
			throw new YdbError(
				'GENERIC_ERROR',
				`Column name is longer than ${limits.columnNameLength}: ${name.slice(0, 40)}…`,
			)
}
