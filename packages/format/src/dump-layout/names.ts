/** What a folder of a dump, or of an export, can be. `database` is one of a cluster's, which holds no objects. */
export type FoundKind =
	| 'table'
	| 'view'
	| 'topic'
	| 'coordination-node'
	| 'replication'
	| 'transfer'
	| 'external-data-source'
	| 'external-table'
	| 'system-view'
	| 'empty-directory'
	| 'database'

/** The file that says what a folder is. Source: `ydb/public/lib/ydb_cli/dump/files/files.cpp`; `system_view.pb` is of exports, not verified. */
export const MARKERS: ReadonlyMap<string, FoundKind> = new Map<string, FoundKind>([
	['scheme.pb', 'table'],
	['create_view.sql', 'view'],
	['create_topic.pb', 'topic'],
	['create_coordination_node.pb', 'coordination-node'],
	['create_async_replication.sql', 'replication'],
	['create_transfer.sql', 'transfer'],
	['create_external_data_source.sql', 'external-data-source'],
	['create_external_table.sql', 'external-table'],
	['system_view.pb', 'system-view'],
	['empty_dir', 'empty-directory'],
])

export const SCHEME = 'scheme.pb'
export const PERMISSIONS = 'permissions.pb'
export const EMPTY_DIRECTORY = 'empty_dir'
/** In every folder that is not complete; YDB's own restore refuses all of such a dump. */
export const INCOMPLETE = 'incomplete'
/** A data file that is being written. */
export const INCOMPLETE_DATA = 'incomplete.csv'
export const DATABASE = 'database.pb'
export const CHANGEFEED = 'changefeed_description.pb'
export const RATE_LIMITER = 'create_rate_limiter.pb'
export const METADATA = 'metadata.json'
/** Of database and cluster dumps, one statement a line. */
export const ACCOUNTS: readonly string[] = ['create_user.sql', 'create_group.sql', 'alter_group.sql']

const OTHERS = [PERMISSIONS, INCOMPLETE, INCOMPLETE_DATA, DATABASE, CHANGEFEED, RATE_LIMITER, METADATA, ...ACCOUNTS]

/** Whether an object of this name would be taken for a file of the layout when its folder lies in another one. */
export function isReservedName(name: string): boolean {
	return MARKERS.has(name) || OTHERS.includes(name) || readDataName(name) !== undefined
}

/** A dump's n-th data file of a table, from 0: `data_00.csv`, later `data_100.csv`. */
export function dumpDataName(number: number): string {
	return `data_${String(number).padStart(2, '0')}.csv`
}

export interface DataName {
	readonly number: number
	/** What stands behind the number: `.csv`, `.csv.zst`, `.parquet`, `.csv.enc`, … */
	readonly suffix: string
}

/** The number of a data file; undefined for any other name. */
export function readDataName(name: string): DataName | undefined {
	const match = /^data_(\d{2}|[1-9]\d{2,8})(\.(?:csv|csv\.zst|parquet)(?:\.enc)?)$/u.exec(name)
	return match === null ? undefined : { number: Number(match[1]), suffix: match[2]! }
}
