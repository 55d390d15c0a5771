import { SchemeServiceDefinition } from '@ydbjs/api/scheme'
import { AlterTableRequestSchema, type DescribeTableResult, TableServiceDefinition } from '@ydbjs/api/table'
import { create } from '@bufbuild/protobuf'
import type { Driver } from '@ydbjs/core'
import { BackupError, type CallOptions, isBackupError } from '@ydbackup/core'
import { mustSucceed } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import { within } from '../scheme/walk.ts'

/** Most targets of one CopyTables. Source: YDB's limit of a consistent copy, not verified against a server. */
export const MAX_COPIES = 10_000

const CALL_MS = 120_000
/** `Ydb.FeatureFlag.Status`. */
const ENABLED = 1
const DISABLED = 2

export async function makeDirectory(driver: Driver, path: string, { signal }: CallOptions = {}): Promise<void> {
	const client = driver.createClient(SchemeServiceDefinition)
	const doing = `create directory ${path}`
	await patiently({ doing, signal }, async () =>
		mustSucceed(await client.makeDirectory({ path }, { signal: within(signal, CALL_MS) }), doing),
	)
}

/** One consistent copy of many tables. */
export async function copyTables(
	driver: Driver,
	pairs: readonly (readonly [from: string, to: string])[],
	signal: AbortSignal | undefined,
): Promise<void> {
	const client = driver.createClient(TableServiceDefinition)
	const doing = `copy ${pairs.length} tables at one moment`
	const tables = pairs.map(([sourcePath, destinationPath]) => ({ sourcePath, destinationPath, omitIndexes: true }))
	let tried = false
	await patiently({ doing, signal }, async () => {
		try {
			mustSucceed(await client.copyTables({ tables }, { signal: within(signal, CALL_MS) }), doing)
		} catch (error) {
			// An answer that was lost may have been a success: then our own copies are in the way. Whoever made them is the same moment for all.
			if (tried && isBackupError(error, 'PATH_EXISTS'))
				throw new BackupError('SCHEMA_CHANGED', 'the answer to a copy was lost', { retry: 'no', cause: error })
			tried = true
			throw error
		}
	})
}

/** Keeps a copy as it is: no rows expire in it and it is not split. */
export async function freeze(
	driver: Driver,
	path: string,
	{ ttlSettings, partitioningSettings }: DescribeTableResult,
	signal: AbortSignal | undefined,
): Promise<void> {
	const moves =
		partitioningSettings?.partitioningBySize === ENABLED || partitioningSettings?.partitioningByLoad === ENABLED
	if (!ttlSettings && !moves) return
	const client = driver.createClient(TableServiceDefinition)
	const doing = `freeze the copy ${path}`
	const request = create(AlterTableRequestSchema, {
		path,
		...(ttlSettings && { ttlAction: { case: 'dropTtlSettings' as const, value: {} } }),
		...(moves && { alterPartitioningSettings: { partitioningBySize: DISABLED, partitioningByLoad: DISABLED } }),
	})
	await patiently({ doing, signal }, async () =>
		mustSucceed(await client.alterTable(request, { signal: within(signal, CALL_MS) }), doing),
	)
}

const isGone = (error: unknown): boolean => isBackupError(error, 'PATH_NOT_FOUND')

export async function dropTable(driver: Driver, path: string, { signal }: CallOptions = {}): Promise<void> {
	const client = driver.createClient(TableServiceDefinition)
	const doing = `drop table ${path}`
	await patiently({ doing, signal }, async () =>
		mustSucceed(await client.dropTable({ path }, { signal: within(signal, CALL_MS) }), doing),
	).catch((error) => {
		if (!isGone(error)) throw error
	})
}

export async function removeDirectory(driver: Driver, path: string, { signal }: CallOptions = {}): Promise<void> {
	const client = driver.createClient(SchemeServiceDefinition)
	const doing = `remove directory ${path}`
	await patiently({ doing, signal }, async () =>
		mustSucceed(await client.removeDirectory({ path }, { signal: within(signal, CALL_MS) }), doing),
	).catch((error) => {
		if (!isGone(error)) throw error
	})
}
