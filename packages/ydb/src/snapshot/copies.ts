import { type Entry, ListDirectoryResultSchema, SchemeServiceDefinition } from '@ydbjs/api/scheme'
import { AlterTableRequestSchema, type DescribeTableResult, TableServiceDefinition } from '@ydbjs/api/table'
import { create } from '@bufbuild/protobuf'
import type { Driver } from '@ydbjs/core'
import { type CallOptions, isBackupError, throwIfInterrupted } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { mustSucceed, resultOf } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'

/** Most targets of one CopyTables. Source: YDB's limit of a consistent copy, not verified against a server. */
export const MAX_COPIES = 10_000

/** Of the copy of the table that was asked for at such a place: 0 and up. */
export const copyName = (at: number): string => String(at + 1).padStart(5, '0')

const CALL_MS = 120_000
/** How long what creates may go on after a stop was asked for: cut off, it could end after its targets were removed. */
export const GRACE_MS: number = 15_000
/** `Ydb.FeatureFlag.Status`. */
const ENABLED = 1
const DISABLED = 2

const isGone = (error: unknown): boolean => isBackupError(error, 'PATH_NOT_FOUND')

/** What lies directly in a directory; undefined when there is no such path. */
export async function listDirectory(
	driver: Driver,
	path: string,
	{ signal }: CallOptions = {},
): Promise<Entry[] | undefined> {
	const client = driver.createClient(SchemeServiceDefinition)
	const doing = `list ${path}`
	return patiently({ doing, signal }, async () => {
		const answer = await bounded(signal, CALL_MS, (bound) => client.listDirectory({ path }, { signal: bound }))
		return resultOf(ListDirectoryResultSchema, answer, doing).children
	}).catch((error: unknown) => {
		if (isGone(error)) return undefined
		throw error
	})
}

export async function makeDirectory(
	driver: Driver,
	path: string,
	{ signal, graceMs = 0 }: CallOptions & { readonly graceMs?: number } = {},
): Promise<void> {
	const client = driver.createClient(SchemeServiceDefinition)
	const doing = `create directory ${path}`
	await patiently({ doing, signal }, async () => {
		const answer = await afterGrace(signal, graceMs, (late) =>
			bounded(late, CALL_MS, (bound) => client.makeDirectory({ path }, { signal: bound })),
		)
		throwIfInterrupted(signal, doing)
		mustSucceed(answer, doing)
	})
}

/**
 * One consistent copy of many tables into a directory that was empty before. A copy whose answer was lost is known again by its
 * targets: they are made all at one moment, or not at all.
 */
export async function copyTables(
	driver: Driver,
	directory: string,
	pairs: readonly (readonly [from: string, to: string])[],
	signal: AbortSignal | undefined,
): Promise<void> {
	const client = driver.createClient(TableServiceDefinition)
	const doing = `copy ${pairs.length} tables at one moment`
	const tables = pairs.map(([sourcePath, destinationPath]) => ({ sourcePath, destinationPath, omitIndexes: true }))
	let isRepeated = false
	const isDone = async (): Promise<boolean> => {
		const names = new Set((await listDirectory(driver, directory, { signal }))?.map(({ name }) => name))
		return pairs.every(([, to]) => names.has(to.slice(directory.length + 1)))
	}
	await patiently({ doing, signal }, async () => {
		try {
			const answer = await afterGrace(signal, GRACE_MS, (late) =>
				bounded(late, CALL_MS, (bound) => client.copyTables({ tables }, { signal: bound })),
			)
			throwIfInterrupted(signal, doing)
			mustSucceed(answer, doing)
		} catch (error) {
			if (isRepeated && isBackupError(error, 'PATH_EXISTS') && (await isDone())) return
			isRepeated = true
			throw error
		}
	})
}

/** Gives work a signal that ends some time after the other one. */
async function afterGrace<T>(
	signal: AbortSignal | undefined,
	milliseconds: number,
	work: (late: AbortSignal) => Promise<T>,
): Promise<T> {
	const late = new AbortController()
	let timer: NodeJS.Timeout | undefined
	const begin = (): void => void (timer ??= setTimeout(() => late.abort(signal?.reason), milliseconds))
	if (signal?.aborted) begin()
	signal?.addEventListener('abort', begin, { once: true })
	try {
		return await work(late.signal)
	} finally {
		clearTimeout(timer)
		signal?.removeEventListener('abort', begin)
	}
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
		mustSucceed(await bounded(signal, CALL_MS, (bound) => client.alterTable(request, { signal: bound })), doing),
	)
}

export async function dropTable(driver: Driver, path: string, { signal }: CallOptions = {}): Promise<void> {
	const client = driver.createClient(TableServiceDefinition)
	const doing = `drop table ${path}`
	await patiently({ doing, signal }, async () =>
		mustSucceed(await bounded(signal, CALL_MS, (bound) => client.dropTable({ path }, { signal: bound })), doing),
	).catch((error: unknown) => {
		if (!isGone(error)) throw error
	})
}

export async function removeDirectory(driver: Driver, path: string, { signal }: CallOptions = {}): Promise<void> {
	const client = driver.createClient(SchemeServiceDefinition)
	const doing = `remove directory ${path}`
	await patiently({ doing, signal }, async () =>
		mustSucceed(await bounded(signal, CALL_MS, (bound) => client.removeDirectory({ path }, { signal: bound })), doing),
	).catch((error: unknown) => {
		if (!isGone(error)) throw error
	})
}
