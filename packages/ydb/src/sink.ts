import { setTimeout as sleep } from 'node:timers/promises'
import { type Operation, OperationServiceDefinition } from '@ydbjs/api/operation'
import { ModifyPermissionsRequestSchema, SchemeServiceDefinition } from '@ydbjs/api/scheme'
import {
	type AlterTableRequest,
	AlterTableRequestSchema,
	type CreateTableRequest,
	CreateTableRequestSchema,
	StoreType,
	TableIndexDescription_Status,
	TableServiceDefinition,
} from '@ydbjs/api/table'
import type { Driver } from '@ydbjs/core'
import { BackupError, type SnapshotSink, throwIfInterrupted } from '@ydbackup/core'
import { bounded } from './call/bounded.ts'
import { mustSucceed } from './call/operation.ts'
import { refusalError, SUCCESS } from './call/failure.ts'
import { patiently } from './call/patience.ts'
import { query, quotePath } from './call/query.ts'
import { settle } from './call/settle.ts'
import { createObject, createPart, dropObject } from './objects/create.ts'
import { findTransfers } from './objects/find-transfers.ts'
import { knownRequestPart } from './objects/known-request.ts'
import { messageOf } from './proto/newer.ts'
import { readByQuery } from './rows/read-by-query.ts'
import { readRange, type RangeReader } from './rows/read-range.ts'
import { objectOf } from './scheme/walk.ts'
import { renameTables } from './scheme/rename.ts'
import { findObject } from './scheme/find-object.ts'
import { describeTable, snapshotTableOf } from './scheme/table-description.ts'
import { dropTable, listDirectory, makeDirectory, removeDirectory } from './snapshot/copies.ts'
import { openQuerySnapshot } from './snapshot/query-snapshot.ts'
import { countRows, largestValue } from './snapshot/take.ts'
import { openTableWriter } from './write/open-writer.ts'

const CALL_MS = 120_000
/** The attribute of tables that a replication writes to. Source: ydb/core/base/path.h and ATTR_ASYNC_REPLICA of schemeshard, not verified. */
const REPLICA = '__async_replica'
const LONG_OPERATION_MS = 24 * 3_600_000

export interface SinkContext {
	readonly control: Driver
	readonly database: string
	readonly data: (signal: AbortSignal | undefined) => Promise<Pick<RangeReader, 'driver' | 'budget'>>
}

/** Looks, ever more seldom, until something is told, at most for a day. `late` is what is said behind that. */
async function lookUntil<T>(
	doing: string,
	late: string,
	signal: AbortSignal | undefined,
	look: () => Promise<T | undefined>,
): Promise<T> {
	const deadline = Date.now() + LONG_OPERATION_MS
	for (let pause = 20; ; pause = Math.min(pause * 1.5, 5_000)) {
		throwIfInterrupted(signal, doing)
		const found = await look()
		if (found !== undefined) return found
		if (Date.now() > deadline) throw new BackupError('DEADLINE_EXCEEDED', `cannot ${doing}: ${late} after a day`)
		await sleep(pause, undefined, signal ? { signal } : {}).catch(() => throwIfInterrupted(signal, doing))
	}
}

/** Follows a long operation to its end. */
async function follow(control: Driver, id: string, doing: string, signal: AbortSignal | undefined): Promise<void> {
	const client = control.createClient(OperationServiceDefinition)
	const { status, issues } = await lookUntil(doing, `operation ${id} is not done`, signal, async () => {
		const { operation } = await patiently({ doing, signal }, () =>
			bounded(signal, 30_000, (bound) => client.getOperation({ id }, { signal: bound })),
		)
		return operation?.ready === true ? operation : undefined
	})
	await client.forgetOperation({ id }, { signal: AbortSignal.timeout(10_000) }).catch(() => {})
	if (status !== SUCCESS) throw refusalError({ status, issues }, doing)
}

export function createSink({ control, database, data }: SinkContext): SnapshotSink {
	const absolute = (path: string): string => (path === '' ? database : `${database}/${path}`)
	const tables = control.createClient(TableServiceDefinition)
	const schemes = control.createClient(SchemeServiceDefinition)

	/** Whether a table is there with these columns and no rows: what a creation leaves whose answer was lost. */
	async function isAsCreated(
		{ path, columns, primaryKey }: CreateTableRequest,
		signal: AbortSignal | undefined,
	): Promise<boolean> {
		const live = await describeTable(control, path, signal ? { signal } : {})
		const names = (all: readonly { name: string }[]): string => JSON.stringify(all.map(({ name }) => name).toSorted())
		return (
			names(live.columns) === names(columns) &&
			JSON.stringify(live.primaryKey) === JSON.stringify(primaryKey) &&
			(await countRows(control, path, signal)) === 0n
		)
	}

	/**
	 * Whether a table has the indexes, and no longer the changefeeds, of an alteration whose answer was lost; waits for an index that is
	 * being built. Whatever else may be altered may be altered twice, so that a refusal of it is one.
	 */
	async function isAltered(
		{ path, addIndexes, dropChangefeeds }: AlterTableRequest,
		signal: AbortSignal | undefined,
	): Promise<boolean> {
		if (addIndexes.length === 0 && dropChangefeeds.length === 0) return false
		return lookUntil(`alter table ${path}`, 'an index is not built', signal, async () => {
			const { indexes, changefeeds } = await describeTable(control, path, signal ? { signal } : {})
			const added = addIndexes.map(({ name }) => indexes.find((index) => index.name === name))
			if (added.includes(undefined) || changefeeds.some(({ name }) => dropChangefeeds.includes(name))) return false
			return added.every((index) => index?.status !== TableIndexDescription_Status.BUILDING) ? true : undefined
		})
	}

	return {
		database,

		find: (path, options) => findObject(control, database, path, options),

		createDirectory: (path, options) => makeDirectory(control, absolute(path), options),

		async createTable(path, scheme, { signal } = {}) {
			const doing = `create table ${absolute(path)}`
			const request = messageOf(CreateTableRequestSchema, scheme)
			request.path = absolute(path)
			await settle(
				{ doing, signal },
				async () =>
					mustSucceed(await bounded(signal, CALL_MS, (bound) => tables.createTable(request, { signal: bound })), doing),
				async ({ code }) => code === 'PATH_EXISTS' && (await isAsCreated(request, signal)),
			)
		},

		async describeTable(path, options) {
			const live = await describeTable(control, absolute(path), options)
			return snapshotTableOf(path, live, live)
		},

		async alterTable(path, change, { signal } = {}) {
			const doing = `alter table ${absolute(path)}`
			const request = messageOf(AlterTableRequestSchema, change)
			request.path = absolute(path)
			const send = async (): Promise<Operation> => {
				const { operation } = await bounded(signal, CALL_MS, (bound) => tables.alterTable(request, { signal: bound }))
				if (!operation || operation.ready) return mustSucceed({ operation }, doing)
				return operation
			}
			const operation = await settle({ doing, signal }, send, () => isAltered(request, signal))
			if (operation?.ready === false) await follow(control, operation.id, doing, signal)
		},

		async setSequence(path, column, nextValue, nextUsed, { signal } = {}) {
			const sequence = `${absolute(path)}/_serial_column_${column}`
			const next = nextUsed ? nextValue + 1n : nextValue
			await query(control, `ALTER SEQUENCE ${quotePath(sequence)} RESTART WITH ${next};`, {
				doing: `set sequence ${sequence}`,
				signal,
			})
		},

		largestValue: (path, column, options) => largestValue(control, absolute(path), column, options?.signal),

		async setPermissions(path, permissions, { signal } = {}) {
			const doing = `set owner and grants of ${absolute(path)}`
			const request = messageOf(ModifyPermissionsRequestSchema, permissions)
			request.path = absolute(path)
			await patiently({ doing, signal }, async () =>
				mustSucceed(
					await bounded(signal, CALL_MS, (bound) => schemes.modifyPermissions(request, { signal: bound })),
					doing,
				),
			)
		},

		async openWriter(path, schema, options = {}) {
			const live = await describeTable(control, absolute(path), options)
			const { driver } = await data(options.signal)
			return openTableWriter(driver, absolute(path), schema, live, options)
		},

		createObject: (path, kind, definition, options) => createObject(control, absolute(path), kind, definition, options),
		createPart: (path, part, options) => createPart(control, absolute(path), part, options),
		dropObject: (path, kind, options) => dropObject(control, absolute(path), kind, options),
		knownPart: knownRequestPart,
		countRows: (path, options) => countRows(control, absolute(path), options?.signal),

		async *read(path, schema, range, options) {
			const { storeType } = await describeTable(control, absolute(path), options)
			const reader = { ...(await data(options?.signal)), path: absolute(path), schema }
			if (storeType !== StoreType.COLUMN) return yield* readRange(reader, range, options)
			const doing = `read column table ${path}`
			const asked = { doing, signal: options?.signal }
			const snapshot = await patiently(asked, (signal) => openQuerySnapshot(reader.driver, doing, signal))
			try {
				yield* readByQuery({ ...reader, snapshot }, options)
			} finally {
				await snapshot.close()
			}
		},

		async children(path, options) {
			const entries = (await listDirectory(control, absolute(path), options)) ?? []
			return entries.map((entry) => objectOf(path === '' ? entry.name : `${path}/${entry.name}`, entry))
		},

		async describeTies(path, options) {
			const { attributes, changefeeds, indexes } = await describeTable(control, absolute(path), options)
			return {
				changefeeds: changefeeds.map(({ name }) => name),
				isReplica: attributes[REPLICA] === 'true',
				buildingIndexes: indexes
					.filter(({ status }) => status === TableIndexDescription_Status.BUILDING)
					.map(({ name }) => name),
			}
		},

		transfers: (options) => findTransfers(control, database, options),

		renameTables: (moves, options) =>
			renameTables(
				control,
				moves.map(([from, to]) => [absolute(from), absolute(to)]),
				options?.signal,
			),

		dropTable: (path, options) => dropTable(control, absolute(path), options),
		removeDirectory: (path, options) => removeDirectory(control, absolute(path), options),
	}
}
