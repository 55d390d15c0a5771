import { toBinary } from '@bufbuild/protobuf'
import { TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Table } from '../scheme/table.ts'
import type { WriteSource } from './ast.ts'
import { hasDefault } from './column-default.ts'
import { convert, typeError } from './convert.ts'
import { type Datum, encode, framed } from './datum.ts'
import { constantOf } from './evaluate.ts'
import { type Position, syntaxError } from './lexer.ts'
import { type QueryScope, tableColumns } from './query-scope.ts'
import { runSelect } from './select.ts'
import { mayBeNull, type Member, toProto, typeName, type YqlType } from './types.ts'

/** A list of structs as a `Ydb.TypedValue`: what bulk writes take too. */
export interface TypedRows {
	readonly bytes: Buffer
	readonly start: number
	readonly end: number
	/** How many columns. */
	readonly width: number
	/** Names of the columns. */
	readonly names: readonly string[]
}

export const BAD_COLUMN_TYPE = 2031
const NO_COLUMN_DEFAULT_VALUE = 2032
const PRECONDITION_FAILED = 2029

/** Codes as YDB's sources have them; their numbers were not verified against a server. */
export function refused(
	status: 'BAD_REQUEST' | 'PRECONDITION_FAILED',
	message: string,
	code: number,
	at: Position,
): YdbError {
	return new YdbError(status, message, code, { at, within: [['Type annotation', 1030]] })
}

/** Checks names and types of what will be written, as YDB does when it compiles a query. Returns the columns' types. */
function checkColumns(
	table: Table,
	path: string,
	members: readonly (Member & { readonly isNull?: boolean })[],
	at: Position,
	partial: boolean,
): YqlType[] {
	const columns = tableColumns(table)
	const seen = new Set<string>()
	const types = members.map(({ name, type, isNull }) => {
		const index = columns.findIndex((column) => column.name === name)
		if (index < 0)
			throw new YdbError('BAD_REQUEST', `No such column: ${name}`, 2017, { at, within: [['Type annotation', 1030]] })
		if (seen.has(name)) throw typeError(at, `Duplicate column: ${name}`)
		seen.add(name)
		if (table.columns[index]!.notNull && (mayBeNull(type) || isNull))
			throw refused(
				'BAD_REQUEST',
				`Can't set optional or NULL value to not null column: ${name}. All not null columns should be initialized`,
				BAD_COLUMN_TYPE,
				at,
			)
		return columns[index]!.type
	})
	for (const index of table.key) {
		const { name } = table.columns[index]!
		if (!seen.has(name) && (partial || !hasDefault(table, index)))
			throw refused(
				'PRECONDITION_FAILED',
				`Missing key column in input: ${name} for table: ${path}`,
				PRECONDITION_FAILED,
				at,
			)
	}
	if (partial) return types
	for (const [index, { name, notNull }] of table.columns.entries())
		if (notNull && !seen.has(name) && !hasDefault(table, index))
			throw refused(
				'BAD_REQUEST',
				`Missing not null column in input: ${name}. All not null columns should be initialized`,
				NO_COLUMN_DEFAULT_VALUE,
				at,
			)
	return types
}

export function typedRows(members: readonly Member[], rows: Iterable<readonly Datum[]>): TypedRows {
	const type = toBinary(TypeSchema, toProto({ kind: 'list', item: { kind: 'struct', members } }))
	const items: Buffer[] = []
	for (const row of rows)
		items.push(framed(0x62, [Buffer.concat(row.map((value, at) => framed(0x62, [encode(value, members[at]!.type)])))]))
	const bytes = Buffer.concat([framed(0x0a, [type]), framed(0x12, items.length === 0 ? [Buffer.alloc(0)] : items)])
	return { bytes, start: 0, end: bytes.length, width: members.length, names: members.map(({ name }) => name) }
}

export function converted(
	value: Datum,
	from: YqlType,
	to: YqlType,
	literal: boolean,
	name: string,
	at: Position,
): Datum {
	const found = convert(value, from, to, literal)
	if (!found) throw typeError(at, `Failed to convert '${name}': ${typeName(from)} to ${typeName(to)}`)
	return found.value
}

/** The rows of VALUES, or of a SELECT, as bytes that can be written to a table. */
export function sourceOf(
	statement: { readonly at: Position; readonly columns: readonly string[] | undefined; readonly source: WriteSource },
	table: Table,
	path: string,
	scope: QueryScope,
	partial: boolean,
	keysOnly = false,
): TypedRows {
	const { at, columns, source } = statement
	const known = tableColumns(table)
	if (source.kind === 'values') {
		if (!columns) throw syntaxError(at, 'VALUES requires specification of table columns')
		const typeOf = (name: string): YqlType | undefined => known.find((column) => column.name === name)?.type
		const members = columns.map((name) => ({ name, type: typeOf(name) ?? { kind: 'null' as const } }))
		const rows = source.rows.map((row) => {
			const cells = row.map((expression) => constantOf(expression, scope))
			checkColumns(
				table,
				path,
				cells.map(({ type }, column) => ({ name: columns[column]!, type })),
				at,
				partial,
			)
			return cells.map(({ type, value, literal }, column) =>
				converted(value, type, members[column]!.type, literal, columns[column]!, row[column]!.at),
			)
		})
		return typedRows(members, rows)
	}
	const direct = parameterRows(statement, scope)
	if (direct) {
		const types = checkColumns(table, path, direct.members, at, partial)
		if (keysOnly) mustBeKeysOnly(table, direct.members, at)
		const asDeclared = direct.members.every(({ type }, column) => {
			const [given, wanted] = [type, types[column]!].map((each) =>
				typeName(each.kind === 'optional' ? each.item : each),
			)
			return given === wanted
		})
		if (asDeclared) return direct
	}
	const selected = runSelect(source.select, scope)
	if (columns && source.select.items.length === 0)
		throw new YdbError('UNSUPPORTED', 'a list of columns before SELECT * is not emulated', 0, { at })
	if (columns && columns.length !== selected.columns.length)
		throw typeError(at, `SELECT has ${selected.columns.length} columns, ${columns.length} were expected`)
	const given = selected.columns.map(({ name, type }, column) => ({ name: columns?.[column] ?? name, type }))
	const types = checkColumns(table, path, given, at, partial)
	if (keysOnly) mustBeKeysOnly(table, given, at)
	const literal = source.select.from === undefined
	const members = given.map(({ name }, column) => ({ name, type: types[column]! }))
	const rows = [...(scope.dry ? [] : selected.values())].map((row) =>
		row.map((value, column) => converted(value, given[column]!.type, types[column]!, literal, given[column]!.name, at)),
	)
	return typedRows(members, rows)
}

function mustBeKeysOnly(table: Table, members: readonly Member[], at: Position): void {
	const extra = members.find(({ name }) => !table.key.some((index) => table.columns[index]!.name === name))
	if (extra) throw typeError(at, `DELETE ON takes key columns only, not ${extra.name}`)
}

/** `SELECT * FROM AS_TABLE($rows)`, or of every member by name: the bytes of the parameter are the rows. */
function parameterRows(
	{ columns, source }: { readonly columns: readonly string[] | undefined; readonly source: WriteSource },
	scope: QueryScope,
): (TypedRows & { readonly members: readonly Member[] }) | undefined {
	if (source.kind !== 'select' || columns) return undefined
	const { items, from, where, limit, offset, distinct, groupBy, having } = source.select
	if (from?.kind !== 'rows' || from.rows.kind !== 'parameter' || where || limit || offset) return undefined
	if (distinct || groupBy.length > 0 || having) return undefined
	const given = scope.raw(from.rows.name)
	if (given?.type.kind !== 'list' || given.type.item.kind !== 'struct') return undefined
	const { members } = given.type.item
	const names = items.map(({ value, alias }) =>
		value.kind === 'column' && alias === undefined ? value.name : undefined,
	)
	if (items.length > 0 && (names.length !== members.length || members.some(({ name }) => !names.includes(name))))
		return undefined
	const { start, end } = given.typed
	return { bytes: given.bytes, start, end, width: members.length, names: members.map(({ name }) => name), members }
}
