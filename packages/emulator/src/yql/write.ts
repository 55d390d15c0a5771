import { toBinary } from '@bufbuild/protobuf'
import { TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Table } from '../scheme/table.ts'
import { cellsOf, lastOfEachKey, rowsOf, type WriteRules } from '../services/bulk-upsert.ts'
import type { Entry } from '../store/row-store.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'
import type { DataStatement, Expression, WriteSource } from './ast.ts'
import { convert, typeError } from './convert.ts'
import { type Datum, encode, framed } from './datum.ts'
import { compile, constantOf, mustBeBool } from './evaluate.ts'
import { keyRanges } from './key-range.ts'
import type { Position } from './lexer.ts'
import { type QueryScope, tableColumns } from './query-scope.ts'
import { runSelect, tableRows } from './select.ts'
import { mayBeNull, type Member, toProto, typeName, type YqlType } from './types.ts'

type Statement<K extends DataStatement['kind']> = Extract<DataStatement, { kind: K }>
/** A list of structs as a `Ydb.TypedValue`: what bulk writes take too. */
interface TypedRows {
	readonly bytes: Buffer
	readonly start: number
	readonly end: number
	/** How many columns. */
	readonly width: number
}

const BAD_COLUMN_TYPE = 2031
const NO_COLUMN_DEFAULT_VALUE = 2032
const CONSTRAINT_VIOLATION = 2012
const PRECONDITION_FAILED = 2029

/** Codes as YDB's sources have them; their numbers were not verified against a server. */
function refused(status: 'BAD_REQUEST' | 'PRECONDITION_FAILED', message: string, code: number, at: Position): YdbError {
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
		const { name, otherwise } = table.columns[index]!
		if (!seen.has(name) && (partial || !otherwise))
			throw refused(
				'PRECONDITION_FAILED',
				`Missing key column in input: ${name} for table: ${path}`,
				PRECONDITION_FAILED,
				at,
			)
	}
	if (partial) return types
	for (const { name, notNull, otherwise } of table.columns)
		if (notNull && !otherwise && !seen.has(name))
			throw refused(
				'BAD_REQUEST',
				`Missing not null column in input: ${name}. All not null columns should be initialized`,
				NO_COLUMN_DEFAULT_VALUE,
				at,
			)
	return types
}

function typedRows(members: readonly Member[], rows: Iterable<readonly Datum[]>): TypedRows {
	const type = toBinary(TypeSchema, toProto({ kind: 'list', item: { kind: 'struct', members } }))
	const items: Buffer[] = []
	for (const row of rows)
		items.push(framed(0x62, [Buffer.concat(row.map((value, at) => framed(0x62, [encode(value, members[at]!.type)])))]))
	const bytes = Buffer.concat([framed(0x0a, [type]), framed(0x12, items.length === 0 ? [Buffer.alloc(0)] : items)])
	return { bytes, start: 0, end: bytes.length, width: members.length }
}

function converted(value: Datum, from: YqlType, to: YqlType, literal: boolean, name: string, at: Position): Datum {
	const found = convert(value, from, to, literal)
	if (!found) throw typeError(at, `Failed to convert '${name}': ${typeName(from)} to ${typeName(to)}`)
	return found.value
}

/** The rows of VALUES, or of a SELECT, as bytes that can be written to a table. */
function sourceOf(
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
		if (!columns) throw new YdbError('UNSUPPORTED', 'VALUES without a list of columns is not emulated', 0, { at })
		const typeOf = (name: string): YqlType | undefined => known.find((column) => column.name === name)?.type
		const members = columns.map((name) => ({ name, type: typeOf(name) ?? { kind: 'null' as const } }))
		const rows = source.rows.map((row) => {
			if (row.length !== columns.length)
				throw typeError(at, `VALUES have ${row.length} columns, ${statement.columns?.length} were expected`)
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
	const rows = [...selected.values()].map((row) =>
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
	const { items, from, where, limit, offset } = source.select
	if (from?.kind !== 'rows' || from.rows.kind !== 'parameter' || where || limit || offset) return undefined
	const given = scope.raw(from.rows.name)
	if (given?.type.kind !== 'list' || given.type.item.kind !== 'struct') return undefined
	const { members } = given.type.item
	const names = items.map(({ value, alias }) =>
		value.kind === 'column' && alias === undefined ? value.name : undefined,
	)
	if (items.length > 0 && (names.length !== members.length || members.some(({ name }) => !names.includes(name))))
		return undefined
	return { bytes: given.bytes, start: given.typed.start, end: given.typed.end, width: members.length, members }
}

function point(key: Buffer): { from: Buffer; to: Buffer } {
	return { from: key, to: Buffer.concat([key, Buffer.of(0xff)]) }
}

export function runWrite(statement: Statement<'write'>, scope: QueryScope): void {
	const { mode, at } = statement
	const { path, table } = scope.table(statement.path, at)
	const rows = sourceOf(statement, table, path, scope, false)
	const { transaction } = scope
	const store = transaction.read(path, [])
	const rules: WriteRules = { kept: store, replace: mode !== 'UPSERT', asGiven: mode === 'INSERT', defaults: true }
	const entries = rowsOf(table, rows.bytes, rows, rules)
	checkUnique(table, path, entries, scope)
	if (mode === 'INSERT') {
		const sorted = lastOfEachKey([...entries])
		if (sorted.length < entries.length) throw conflict(path, 'Duplicated keys found.')
		for (const { key } of sorted) {
			transaction.read(path, [point(key)])
			if (store.get(key)) throw conflict(path, 'Conflict with existing key.')
		}
		transaction.write(path, sorted)
		return
	}
	// Cells that stay as they are were read.
	if (mode === 'UPSERT' && rows.width < table.columns.length)
		transaction.read(
			path,
			entries.map(({ key }) => point(key)),
		)
	transaction.write(path, entries)
}

/** Refuses rows that a unique index forbids. Looks at every row of the table: simple, and slow for large ones. */
function checkUnique(table: Table, path: string, entries: readonly Entry[], scope: QueryScope): void {
	for (const { type, indexColumns } of table.spec.indexes) {
		if (type.case !== 'globalUniqueIndex' || entries.length === 0) continue
		const positions = indexColumns.map((name) => table.columns.findIndex((column) => column.name === name))
		const identity = (row: Buffer): string | undefined => {
			const cells = cellsOf(row)!
			const parts = positions.map((position) => cells[position]!)
			// Rows with a NULL are not unique.
			return parts.some((part) => part[2] === 0x50) ? undefined : Buffer.concat(parts).toString('latin1')
		}
		const final = new Map(entries.map(({ key, row }) => [key.toString('latin1'), row]))
		const taken = new Set<string>()
		for (const { key, row } of scope.transaction.read(path, [{}]).entries()) {
			const mark = final.has(key.toString('latin1')) ? undefined : identity(row)
			if (mark !== undefined) taken.add(mark)
		}
		for (const row of final.values()) {
			const mark = row ? identity(row) : undefined
			if (mark === undefined) continue
			if (taken.has(mark)) throw conflict(path, 'Conflict with existing key.')
			taken.add(mark)
		}
	}
}

function conflict(path: string, message: string): YdbError {
	return new YdbError('PRECONDITION_FAILED', message, CONSTRAINT_VIOLATION, {
		within: [[`Constraint violated. Table: \`${path}\`.`, CONSTRAINT_VIOLATION]],
	})
}

/** The rows of a statement that exist, as its source gives them. */
function existing(entries: readonly Entry[], path: string, scope: QueryScope): Entry[] {
	const store = scope.transaction.read(
		path,
		entries.map(({ key }) => point(key)),
	)
	return entries.filter(({ key }) => store.get(key))
}

export function runUpdateOn(statement: Statement<'updateOn'>, scope: QueryScope): void {
	const { path, table } = scope.table(statement.path, statement.at)
	const rows = sourceOf(statement, table, path, scope, true)
	const entries = rowsOf(table, rows.bytes, rows, { kept: scope.transaction.read(path, []), partial: true })
	const found = existing(entries, path, scope)
	checkUnique(table, path, found, scope)
	scope.transaction.write(path, found)
}

export function runDeleteOn(statement: Statement<'deleteOn'>, scope: QueryScope): void {
	const { path, table } = scope.table(statement.path, statement.at)
	const rows = sourceOf(statement, table, path, scope, true, true)
	const entries = rowsOf(table, rows.bytes, rows, { kept: scope.transaction.read(path, []), partial: true })
	scope.transaction.write(
		path,
		entries.map(({ key }) => ({ key, row: null })),
	)
}

function keyOf(table: Table, row: Buffer): Buffer {
	const cells = cellsOf(row)!
	startKey()
	for (const index of table.key) {
		const { cell, name } = table.columns[index]!
		const bytes = cells[index]!
		let start = 1
		while (bytes[start]! > 127) start++
		addKeyCell(bytes, start + 1, bytes.length, cell, name)
	}
	return finishKey()
}

/** Goes over the rows of a table that meet a condition. */
function matching(
	statementPath: string,
	where: Expression | undefined,
	at: Position,
	scope: QueryScope,
): { path: string; table: Table; rows: Iterable<{ bytes: Buffer; row: (column: number) => Datum }> } {
	const { path, table } = scope.table(statementPath, at)
	const within = scope.withColumns(tableColumns(table))
	const condition = where && compile(where, within)
	if (condition) mustBeBool(condition, where.at)
	const { ranges, exact } = keyRanges(table, where, within)
	const store = scope.transaction.read(path, ranges)
	return { path, table, rows: tableRows(table, store, ranges, exact ? undefined : condition, true).handles() }
}

export function runDelete({ path: name, where, at }: Statement<'delete'>, scope: QueryScope): void {
	const { path, table, rows } = matching(name, where, at, scope)
	const entries: Entry[] = []
	for (const { bytes } of rows) entries.push({ key: keyOf(table, bytes), row: null })
	scope.transaction.write(path, entries)
}

export function runUpdate({ path: name, set, where, at }: Statement<'update'>, scope: QueryScope): void {
	const { path, table, rows } = matching(name, where, at, scope)
	const columns = tableColumns(table)
	const within = scope.withColumns(columns)
	const changes = set.map((each) => {
		const index = columns.findIndex((column) => column.name === each.name)
		if (index < 0) throw new YdbError('BAD_REQUEST', `No such column: ${each.name}`, 2017, { at: each.at })
		if (table.key.includes(index)) throw typeError(each.at, `Cannot update primary key column: ${each.name}`)
		const value = compile(each.value, within)
		if (table.columns[index]!.notNull && mayBeNull(value.type))
			throw refused(
				'BAD_REQUEST',
				`Can't set NULL or optional value to not null column: ${each.name}`,
				BAD_COLUMN_TYPE,
				each.at,
			)
		return { index, value, at: each.at, name: each.name }
	})
	const members = columns.filter(
		(_, index) => table.key.includes(index) || changes.some((each) => each.index === index),
	)
	const written: Datum[][] = []
	for (const { row } of rows)
		written.push(
			members.map((member) => {
				const index = columns.indexOf(member)
				const change = changes.find((each) => each.index === index)
				if (!change) return row(index)
				const { value } = change
				return converted(value.value(row), value.type, member.type, value.literal, change.name, change.at)
			}),
		)
	const typed = typedRows(members, written)
	const entries = rowsOf(table, typed.bytes, typed, { kept: scope.transaction.read(path, []), partial: true })
	checkUnique(table, path, entries, scope)
	scope.transaction.write(path, entries)
}
