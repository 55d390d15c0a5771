import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
	AlterTableRequestSchema,
	CreateTableRequestSchema,
	DropTableRequestSchema,
	PartitioningSettingsSchema,
	RenameTablesRequestSchema,
	StoreType,
	TableServiceDefinition as TableService,
	type TableIndexSchema,
	ValueSinceUnixEpochModeSettings_Unit as Unit,
} from '@ydbjs/api/table'
import { type TypedValueSchema, ValueSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import { INDEX_TABLE } from '../scheme/tree.ts'
import { alterKinds } from '../services/alter-kinds.ts'
import type { ColumnDefinition, Expression, IndexDefinition, SchemeStatement, Setting } from './ast.ts'
import { convert, typeError } from './convert.ts'
import { encode } from './datum.ts'
import { constantOf } from './evaluate.ts'
import { type Position, syntaxError } from './lexer.ts'
import { accessChanges } from './access-changes.ts'
import { objectChanges } from './object-changes.ts'
import type { QueryScope } from './query-scope.ts'
import { sequenceChanges } from './sequence.ts'
import { changefeedOf, familyOf } from './table-settings.ts'
import { bare, mayBeNull, optional, toProto, typeName, type YqlType } from './types.ts'

/** A change of the scheme as a request of the table service. */
export interface SchemeChange {
	readonly method: string
	readonly request: Uint8Array
}

type TableInit = MessageInitShape<typeof CreateTableRequestSchema>
type TypedValueInit = MessageInitShape<typeof TypedValueSchema>
type PartitioningInit = MessageInitShape<typeof PartitioningSettingsSchema>

const ENABLED = 1
const DISABLED = 2

type ColumnInit = NonNullable<TableInit['columns']>[number]

function columnOf(column: ColumnDefinition, scope: QueryScope): ColumnInit {
	const { name, type, notNull, serial, otherwise, family } = column
	const nullable = !notNull || mayBeNull(type)
	const about = { name, type: toProto(nullable ? optional(type) : type), notNull, ...(family && { family }) }
	if (serial) return { ...about, defaultValue: { case: 'fromSequence', value: { name: `_serial_column_${name}` } } }
	if (!otherwise) return about
	return { ...about, defaultValue: { case: 'fromLiteral', value: defaultOf(otherwise, type, name, nullable, scope) } }
}

function defaultOf(
	value: Expression,
	type: YqlType,
	name: string,
	nullable: boolean,
	scope: QueryScope,
): TypedValueInit {
	const given = constantOf(value, scope)
	if (given.value === null && !nullable)
		throw typeError(value.at, `Default expr ${name} is nullable or optional, but column has not null constraint. `)
	const wanted = given.value === null ? optional(type) : bare(type)
	const found = convert(given.value, given.type, wanted, given.literal)
	if (!found)
		throw typeError(
			value.at,
			`Default expr ${name} type mismatch, expected: ${typeName(wanted)}, actual: ${typeName(given.type)}`,
		)
	return { type: toProto(wanted), value: fromBinary(ValueSchema, encode(found.value, wanted)) }
}

function indexOf({ name, kind, columns, cover }: IndexDefinition): MessageInitShape<typeof TableIndexSchema> {
	const about = { name, indexColumns: [...columns], dataColumns: [...cover] }
	if (kind === 'async') return { ...about, type: { case: 'globalAsyncIndex', value: {} } }
	if (kind === 'unique') return { ...about, type: { case: 'globalUniqueIndex', value: {} } }
	return { ...about, type: { case: 'globalIndex', value: {} } }
}

function flag({ name, value, at }: Setting): number {
	if (value.kind === 'word' && value.word === 'ENABLED') return ENABLED
	if (value.kind === 'word' && value.word === 'DISABLED') return DISABLED
	throw syntaxError(at, `${name} takes ENABLED or DISABLED`)
}

function count({ name, value, at }: Setting): bigint {
	if (value.kind !== 'number') throw syntaxError(at, `${name} takes a number`)
	return value.value
}

const UNITS: Readonly<Record<string, Unit>> = {
	SECONDS: Unit.SECONDS,
	MILLISECONDS: Unit.MILLISECONDS,
	MICROSECONDS: Unit.MICROSECONDS,
	NANOSECONDS: Unit.NANOSECONDS,
}

function ttl({ value, at }: Setting, scope: QueryScope): NonNullable<TableInit['ttlSettings']> {
	if (value.kind !== 'ttl') throw syntaxError(at, 'TTL takes an interval and a column')
	const interval = constantOf(value.interval, scope)
	if (typeName(interval.type) !== 'Interval' || typeof interval.value !== 'bigint')
		throw typeError(at, `Literal of Interval type is expected for TTL, not ${typeName(interval.type)}`)
	const expireAfterSeconds = Number(interval.value / 1_000_000n)
	const columnName = value.column
	if (value.unit === undefined) return { mode: { case: 'dateTypeColumn', value: { columnName, expireAfterSeconds } } }
	const columnUnit = UNITS[value.unit]
	if (columnUnit === undefined) throw syntaxError(at, `unknown unit ${value.unit}`)
	return { mode: { case: 'valueSinceUnixEpoch', value: { columnName, expireAfterSeconds, columnUnit } } }
}

/** Settings of CREATE and ALTER, sorted by where requests have them. */
function settingsOf(settings: readonly Setting[], scope: QueryScope, keyTypes?: readonly YqlType[]): TableInit {
	const out: TableInit = {}
	const partitioning: PartitioningInit = {}
	for (const setting of settings) {
		const { name, value, at } = setting
		switch (name) {
			case 'AUTO_PARTITIONING_BY_SIZE':
				partitioning.partitioningBySize = flag(setting)
				break
			case 'AUTO_PARTITIONING_BY_LOAD':
				partitioning.partitioningByLoad = flag(setting)
				break
			case 'AUTO_PARTITIONING_PARTITION_SIZE_MB':
				partitioning.partitionSizeMb = count(setting)
				break
			case 'AUTO_PARTITIONING_MIN_PARTITIONS_COUNT':
				partitioning.minPartitionsCount = count(setting)
				break
			case 'AUTO_PARTITIONING_MAX_PARTITIONS_COUNT':
				partitioning.maxPartitionsCount = count(setting)
				break
			case 'KEY_BLOOM_FILTER':
				out.keyBloomFilter = flag(setting)
				break
			case 'READ_REPLICAS_SETTINGS': {
				const found = /^(PER_AZ|ANY_AZ):(\d+)$/i.exec(value.kind === 'text' ? value.text : '')
				if (!found) throw syntaxError(at, 'READ_REPLICAS_SETTINGS takes "PER_AZ:<n>" or "ANY_AZ:<n>"')
				const settings = found[1]!.toUpperCase() === 'PER_AZ' ? 'perAzReadReplicasCount' : 'anyAzReadReplicasCount'
				out.readReplicasSettings = { settings: { case: settings, value: BigInt(found[2]!) } }
				break
			}
			case 'TTL':
				out.ttlSettings = ttl(setting, scope)
				break
			case 'UNIFORM_PARTITIONS':
				mustCreate(keyTypes, name, at)
				out.partitions = { case: 'uniformPartitions', value: count(setting) }
				break
			case 'PARTITION_AT_KEYS': {
				const types = mustCreate(keyTypes, name, at)
				if (value.kind !== 'keys') throw syntaxError(at, 'PARTITION_AT_KEYS takes keys')
				const splitPoints = value.keys.map((key) => {
					if (key.length > types.length) throw syntaxError(at, 'a partition boundary has more values than the key')
					const elements = types.slice(0, key.length)
					const items = key.map((part, column) => {
						const { type, value: datum, literal } = constantOf(part, scope)
						const found = convert(datum, type, elements[column]!, literal)
						if (!found)
							throw typeError(part.at, `Failed to convert ${typeName(type)} to ${typeName(elements[column]!)}`)
						return fromBinary(ValueSchema, encode(found.value, elements[column]!))
					})
					return { type: toProto({ kind: 'tuple', items: elements }), value: { items } }
				})
				out.partitions = { case: 'partitionAtKeys', value: { splitPoints } }
				break
			}
			case 'STORE':
				if (value.kind === 'word' && value.word === 'ROW') break
				mustCreate(keyTypes, name, at)
				if (value.kind !== 'word' || value.word !== 'COLUMN') throw syntaxError(at, 'STORE takes ROW or COLUMN')
				out.storeType = StoreType.COLUMN
				break
			default:
				throw new YdbError('UNSUPPORTED', `the table setting ${name} is not emulated`, 0, { at })
		}
	}
	if (Object.keys(partitioning).length > 0) out.partitioningSettings = partitioning
	return out
}

function mustCreate(keyTypes: readonly YqlType[] | undefined, name: string, at: Position): readonly YqlType[] {
	if (!keyTypes) throw syntaxError(at, `${name} cannot be changed`)
	return keyTypes
}

/** The requests that carry out a statement, in order. */
export function schemeChanges(statement: SchemeStatement, scope: QueryScope): SchemeChange[] {
	const { at } = statement
	if (statement.kind === 'object') return objectChanges(statement, scope)
	if (statement.kind === 'access') return accessChanges(statement, scope)
	const path = scope.path(statement.path)
	switch (statement.kind) {
		case 'alterSequence':
			return sequenceChanges(statement, scope)
		case 'createTable': {
			if (statement.ifNotExists && scope.tree.find(path)?.table) return []
			const columns = statement.columns.map((column) => columnOf(column, scope))
			const keyTypes = statement.primaryKey.map((name) => {
				const found = statement.columns.find((column) => column.name === name)
				if (!found) throw typeError(at, `Undefined column: ${name}`)
				return optional(found.type)
			})
			const settings = settingsOf(statement.settings, scope, keyTypes)
			if (statement.hash.length > 0) {
				if (settings.storeType !== StoreType.COLUMN) throw typeError(at, 'PARTITION BY HASH is for column tables only')
				settings.partitioningSettings = { ...settings.partitioningSettings, partitionBy: [...statement.hash] }
			}
			const request = create(CreateTableRequestSchema, {
				path,
				columns,
				primaryKey: [...statement.primaryKey],
				indexes: statement.indexes.map(indexOf),
				columnFamilies: statement.families.map((family) => familyOf(family, scope)),
				...settings,
			})
			return [{ method: TableService.createTable.path, request: toBinary(CreateTableRequestSchema, request) }]
		}
		case 'dropTable': {
			if (statement.ifExists && !scope.tree.find(path)?.table) return []
			scope.table(statement.path, at)
			const request = create(DropTableRequestSchema, { path })
			return [{ method: TableService.dropTable.path, request: toBinary(DropTableRequestSchema, request) }]
		}
		case 'alterTable': {
			scope.table(statement.path, at)
			const renames = statement.actions.filter((action) => action.kind === 'renameTo')
			if (renames.length > 0) {
				if (statement.actions.length > 1)
					throw syntaxError(at, 'RENAME TO can not be used together with another table action')
				const tables = [{ sourcePath: path, destinationPath: scope.path(renames[0]!.path) }]
				const request = create(RenameTablesRequestSchema, { tables })
				return [{ method: TableService.renameTables.path, request: toBinary(RenameTablesRequestSchema, request) }]
			}
			const ofIndexes = statement.actions.filter((action) => action.kind === 'setIndex')
			const others = statement.actions.filter((action) => action.kind !== 'setIndex')
			const requests = ofIndexes.map(({ name, settings }): Uint8Array => {
				const { partitioningSettings } = settingsOf(settings, scope)
				const init = { path: `${path}/${name}/${INDEX_TABLE}`, alterPartitioningSettings: partitioningSettings ?? {} }
				return toBinary(AlterTableRequestSchema, create(AlterTableRequestSchema, init))
			})
			if (others.length > 0) requests.push(alterRequest({ ...statement, actions: others }, path, scope))
			return requests.map((request) => ({ method: TableService.alterTable.path, request }))
		}
	}
}

function alterRequest(
	{ actions, at }: Extract<SchemeStatement, { kind: 'alterTable' }>,
	path: string,
	scope: QueryScope,
): Uint8Array {
	const request = create(AlterTableRequestSchema, { path })
	const init: MessageInitShape<typeof AlterTableRequestSchema> = { path }
	const addColumns: NonNullable<typeof init.addColumns> = []
	const addIndexes: NonNullable<typeof init.addIndexes> = []
	for (const action of actions) {
		switch (action.kind) {
			case 'addColumn':
				addColumns.push(columnOf(action.column, scope))
				break
			case 'dropColumn':
				request.dropColumns.push(action.name)
				break
			case 'addIndex':
				addIndexes.push(indexOf(action.index))
				break
			case 'dropIndex':
				request.dropIndexes.push(action.name)
				break
			case 'renameIndex':
				init.renameIndexes = [{ sourceName: action.from, destinationName: action.to }]
				break
			case 'reset':
				for (const name of action.names) {
					if (name !== 'TTL')
						throw new YdbError('UNSUPPORTED', `RESET of ${name} is not emulated`, 0, { at: action.at })
					init.ttlAction = { case: 'dropTtlSettings', value: {} }
				}
				break
			case 'set': {
				const found = settingsOf(action.settings, scope)
				if (found.ttlSettings) init.ttlAction = { case: 'setTtlSettings', value: found.ttlSettings }
				if (found.partitioningSettings) init.alterPartitioningSettings = found.partitioningSettings
				if (found.keyBloomFilter !== undefined) init.setKeyBloomFilter = found.keyBloomFilter
				if (found.readReplicasSettings) init.setReadReplicasSettings = found.readReplicasSettings
				break
			}
			case 'addFamily':
				init.addColumnFamilies = [...(init.addColumnFamilies ?? []), familyOf(action.family, scope)]
				break
			case 'alterFamily':
				init.alterColumnFamilies = [...(init.alterColumnFamilies ?? []), familyOf(action.family, scope)]
				break
			case 'setFamily':
				init.alterColumns = [...(init.alterColumns ?? []), { name: action.column, family: action.family }]
				break
			case 'dropNotNull':
				init.alterColumns = [...(init.alterColumns ?? []), { name: action.column, notNull: false }]
				break
			case 'addFeed':
				init.addChangefeeds = [...(init.addChangefeeds ?? []), changefeedOf(action.feed, scope)]
				break
			case 'dropFeed':
				init.dropChangefeeds = [...(init.dropChangefeeds ?? []), action.name]
				break
			default:
				throw new YdbError('INTERNAL_ERROR', `${action.kind} came here`)
		}
	}
	const { dropColumns, dropIndexes } = request
	const whole = create(AlterTableRequestSchema, { ...init, addColumns, addIndexes, dropColumns, dropIndexes })
	// Source: PrepareAlterTable in kqp_gateway_proxy.cpp.
	if (alterKinds(whole) !== 1) throw new YdbError('BAD_REQUEST', 'Unqualified alter table request.', 0, { at })
	return toBinary(AlterTableRequestSchema, whole)
}
