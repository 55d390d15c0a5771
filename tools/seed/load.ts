import { create } from '@bufbuild/protobuf'
import { Driver } from '@ydbjs/core'
import { type Operation, StatusIds_StatusCode as Status } from '@ydbjs/api/operation'
import {
	ModifyPermissionsRequestSchema,
	PermissionsActionSchema,
	PermissionsSchema,
	SchemeServiceDefinition,
} from '@ydbjs/api/scheme'
import { TableServiceDefinition } from '@ydbjs/api/table'
import {
	ListTypeSchema,
	StructMemberSchema,
	StructTypeSchema,
	TupleTypeSchema,
	type TypedValue,
	TypedValueSchema,
	TypeSchema,
	type Value,
	ValueSchema,
} from '@ydbjs/api/value'
import { cell, optional } from './cell.ts'
import { SEED_EMPTY_DIRECTORIES, SEED_GRANTS, SEED_OWNERS, type SeedTable } from './tables.ts'

const BATCH_BYTES = 1 << 20

interface Answer {
	readonly operation?: Operation | undefined
}

function must({ operation }: Answer, doing: string): void {
	if (operation?.status === Status.SUCCESS) return
	const issues = operation?.issues.map((issue) => issue.message).join('; ')
	throw new Error(`${doing}: ${Status[operation?.status ?? 0]}${issues ? `: ${issues}` : ''}`)
}

function splitPoint(table: SeedTable, plain: SeedTable['splitBefore'][number]): TypedValue {
	const [, key] = table.columns.find(([name]) => name === table.primaryKey[0])!
	const elements = [key.type.type.case === 'optionalType' ? key.type : optional(key).type]
	return create(TypedValueSchema, {
		type: { type: { case: 'tupleType', value: create(TupleTypeSchema, { elements }) } },
		value: { items: [cell(key, plain)] },
	})
}

function rowsOf(table: SeedTable, rows: readonly Value[][]): TypedValue {
	const members = table.columns.map(([name, { type }]) => create(StructMemberSchema, { name, type }))
	const item = create(TypeSchema, { type: { case: 'structType', value: create(StructTypeSchema, { members }) } })
	return create(TypedValueSchema, {
		type: { type: { case: 'listType', value: create(ListTypeSchema, { item }) } },
		value: { items: rows.map((items) => create(ValueSchema, { items })) },
	})
}

function* batches(rows: Iterable<Value[]>): Generator<Value[][]> {
	let batch: Value[][] = []
	let bytes = 0
	for (const row of rows) {
		for (const { value } of row)
			bytes += typeof value.value === 'string' || value.value instanceof Uint8Array ? value.value.length * 2 : 10
		batch.push(row)
		if (bytes < BATCH_BYTES) continue
		yield batch
		batch = []
		bytes = 0
	}
	if (batch.length > 0) yield batch
}

export interface LoadTarget {
	/** For example grpc://localhost:2136 */
	readonly endpoint: string
	readonly database: string
}

/** Creates the tables, loads their rows, sets owners and grants. The tables must not exist. Calls back after each table. */
export async function load(
	target: LoadTarget,
	tables: readonly SeedTable[],
	onTable: (path: string, rows: number, milliseconds: number) => void,
): Promise<void> {
	const driver = new Driver(`${target.endpoint}${target.database}`, { 'ydb.sdk.enable_discovery': false })
	try {
		await driver.ready(AbortSignal.timeout(10_000))
		const service = driver.createClient(TableServiceDefinition)
		const scheme = driver.createClient(SchemeServiceDefinition)
		const absolute = (path: string): string => `${target.database}/${path}`
		const options = { signal: AbortSignal.timeout(600_000) }
		for (const directory of SEED_EMPTY_DIRECTORIES)
			must(await scheme.makeDirectory({ path: absolute(directory) }, options), `create directory ${directory}`)
		for (const table of tables) {
			const started = performance.now()
			const partitions = { splitPoints: table.splitBefore.map((plain) => splitPoint(table, plain)) }
			const request = {
				path: absolute(table.path),
				columns: table.columns.map(([name, { type }]) => ({ name, type, notNull: type.type.case !== 'optionalType' })),
				primaryKey: [...table.primaryKey],
				...(partitions.splitPoints.length > 0 && {
					partitions: { case: 'partitionAtKeys' as const, value: partitions },
				}),
			}
			must(await service.createTable(request, options), `create table ${table.path}`)
			let rows = 0
			for (const batch of batches(table.rows())) {
				must(
					await service.bulkUpsert({ table: absolute(table.path), rows: rowsOf(table, batch) }, options),
					`write to ${table.path}`,
				)
				rows += batch.length
			}
			onTable(table.path, rows, performance.now() - started)
		}
		for (const { path, subject, rights } of SEED_GRANTS) {
			const grant = create(PermissionsSchema, { subject, permissionNames: [...rights] })
			const actions = [create(PermissionsActionSchema, { action: { case: 'grant', value: grant } })]
			const request = create(ModifyPermissionsRequestSchema, { path: absolute(path), actions })
			must(await scheme.modifyPermissions(request, options), `grant on ${path}`)
		}
		for (const { path, owner } of SEED_OWNERS) {
			const actions = [create(PermissionsActionSchema, { action: { case: 'changeOwner', value: owner } })]
			const request = create(ModifyPermissionsRequestSchema, { path: absolute(path), actions })
			must(await scheme.modifyPermissions(request, options), `change the owner of ${path}`)
		}
	} finally {
		driver.close()
	}
}
