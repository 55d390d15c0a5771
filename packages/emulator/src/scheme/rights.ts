/** Elementary rights. Source: YDB's documentation, "Access rights". */
export type Right =
	| 'ydb.database.connect'
	| 'ydb.database.create'
	| 'ydb.database.drop'
	| 'ydb.access.grant'
	| `ydb.granular.${Granular}`

type Granular =
	| 'select_row'
	| 'update_row'
	| 'erase_row'
	| 'read_attributes'
	| 'write_attributes'
	| 'create_directory'
	| 'create_table'
	| 'create_queue'
	| 'remove_schema'
	| 'describe_schema'
	| 'alter_schema'

const granular = (...names: readonly Granular[]): Right[] => names.map((name): Right => `ydb.granular.${name}`)

const READ = granular('select_row', 'read_attributes', 'describe_schema')
const WRITE = granular(
	'update_row',
	'erase_row',
	'write_attributes',
	'create_directory',
	'create_table',
	'create_queue',
	'remove_schema',
	'alter_schema',
)
const USE_LEGACY: readonly Right[] = [...READ, ...WRITE, 'ydb.access.grant']
const MANAGE: readonly Right[] = ['ydb.database.create', 'ydb.database.drop']

/** Keyword, name, and what it means when that is not itself. Source: the same page; keywords as servers 25.1 and 26.2 take them. */
const NAMES: readonly (readonly [keyword: string, name: string, means?: readonly Right[]])[] = [
	['CONNECT', 'ydb.database.connect'],
	['CREATE', 'ydb.database.create'],
	['DROP', 'ydb.database.drop'],
	['GRANT', 'ydb.access.grant'],
	['SELECT ROW', 'ydb.granular.select_row'],
	['UPDATE ROW', 'ydb.granular.update_row'],
	['ERASE ROW', 'ydb.granular.erase_row'],
	['SELECT ATTRIBUTES', 'ydb.granular.read_attributes'],
	['MODIFY ATTRIBUTES', 'ydb.granular.write_attributes'],
	['CREATE DIRECTORY', 'ydb.granular.create_directory'],
	['CREATE TABLE', 'ydb.granular.create_table'],
	['CREATE QUEUE', 'ydb.granular.create_queue'],
	['REMOVE SCHEMA', 'ydb.granular.remove_schema'],
	['DESCRIBE SCHEMA', 'ydb.granular.describe_schema'],
	['ALTER SCHEMA', 'ydb.granular.alter_schema'],
	['MODIFY TABLES', 'ydb.tables.modify', granular('update_row', 'erase_row')],
	['SELECT TABLES', 'ydb.tables.read', granular('select_row')],
	['LIST', 'ydb.generic.list', granular('describe_schema')],
	['SELECT', 'ydb.generic.read', READ],
	['INSERT', 'ydb.generic.write', WRITE],
	['USE LEGACY', 'ydb.generic.use_legacy', USE_LEGACY],
	['USE', 'ydb.generic.use', [...USE_LEGACY, 'ydb.database.connect']],
	['MANAGE', 'ydb.generic.manage', MANAGE],
	['FULL LEGACY', 'ydb.generic.full_legacy', [...USE_LEGACY, ...MANAGE]],
	['FULL', 'ydb.generic.full', [...USE_LEGACY, 'ydb.database.connect', ...MANAGE]],
]

const BY_NAME = new Map(NAMES.map(([, name, means]) => [name, means ?? [name as Right]]))
const BY_KEYWORD = new Map(NAMES.map(([keyword, name]) => [keyword, name]))

/** The name of a permission in either spelling. */
export function permissionOf(spelling: string): string | undefined {
	const words = spelling.trim().replaceAll(/\s+/g, ' ').toUpperCase()
	if (words === 'ALL' || words === 'ALL PRIVILEGES') return 'ydb.generic.full'
	// The names that the elementary rights had before; YDB's own tests still use them.
	const name = spelling
		.trim()
		.toLowerCase()
		.replace(/^ydb\.deprecated\./, 'ydb.granular.')
	return BY_KEYWORD.get(words) ?? (BY_NAME.has(name) ? name : undefined)
}

/** The elementary rights that a permission gives. */
export function rightsOf(name: string): readonly Right[] {
	return BY_NAME.get(name) ?? []
}
