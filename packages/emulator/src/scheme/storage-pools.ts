import type { ColumnFamily, StorageSettings } from '@ydbjs/api/table'
import { YdbError } from '../error.ts'

interface Storage {
	readonly storageSettings?: StorageSettings | undefined
	readonly columnFamilies: readonly ColumnFamily[]
}

/** Refuses kinds of storage that the database does not have. Source: schemeshard__operation_create_table.cpp; an empty kind is none. */
export function checkPools({ storageSettings: given, columnFamilies }: Storage, pools: string | undefined): void {
	if (pools === undefined) return
	const known = new Set(pools.split(',').map((name) => name.trim()))
	const asked = [
		given?.tabletCommitLog0,
		given?.tabletCommitLog1,
		given?.external,
		...columnFamilies.map(({ data }) => data),
	]
	const lacking = asked.find((pool) => pool !== undefined && !known.has(pool.media))
	if (lacking === undefined) return
	throw new YdbError(
		'BAD_REQUEST',
		`database doesn't have required storage pools to create tablet with storage config, details: unable to find storage pool kind ${lacking.media}`,
	)
}
