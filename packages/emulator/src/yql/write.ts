import { YdbError } from '../error.ts'
import type { Changed } from '../collections/stream.ts'
import type { Table } from '../scheme/table.ts'
import { cellsOf, lastOfEachKey, rowsOf, type WriteRules } from '../services/bulk-upsert.ts'
import type { Entry } from '../store/row-store.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'
import type { DataStatement, Expression } from './ast.ts'
import { withDefaults } from './column-default.ts'
import { NO_ROW } from './compiled.ts'
import { convert, typeError } from './convert.ts'
import type { Datum } from './datum.ts'
import { compile, mustBeBool } from './evaluate.ts'
import { keyRanges, readStep } from './key-range.ts'
import type { Position } from './lexer.ts'
import { type QueryScope, tableColumns } from './query-scope.ts'
import { returns } from './returning.ts'
import type { Selected } from './select.ts'
import { tableRows } from './source.ts'
import { mayBeNull, optional, typeName } from './types.ts'
import { BAD_COLUMN_TYPE, converted, refused, sourceOf, typedRows } from './write-source.ts'

type Statement<K extends DataStatement['kind']> = Extract<DataStatement, { kind: K }>

const CONSTRAINT_VIOLATION = 2012

function point(key: Buffer): { from: Buffer; to: Buffer } {
	return { from: key, to: Buffer.concat([key, Buffer.of(0xff)]) }
}

export function runWrite(statement: Statement<'write'>, scope: QueryScope): Selected | undefined {
	const { mode, at, returning } = statement
	const { path, table } = scope.table(statement.path, at)
	const given = sourceOf(statement, table, path, scope, false)
	const { transaction } = scope
	const returned = returns(table, returning, at, scope)
	planWrite(path, 'MultiUpsert', given.names, scope)
	if (scope.dry) return returned?.([])
	const store = transaction.read(path, [])
	const rules: WriteRules = { kept: store, replace: mode !== 'UPSERT', asGiven: mode === 'INSERT' }
	const { rows, fresh } = withDefaults(table, given, mode !== 'UPSERT')
	const entries = rowsOf(table, rows.bytes, rows, fresh ? { ...rules, partial: true } : rules).map((entry) =>
		fresh && !store.get(entry.key) ? { key: entry.key, row: fresh(entry.row!) } : entry,
	)
	checkUnique(table, path, entries, scope)
	if (mode === 'INSERT') {
		const sorted = lastOfEachKey([...entries])
		if (sorted.length < entries.length) throw conflict(path, 'Duplicated keys found.')
		for (const { key } of sorted) {
			transaction.read(path, [point(key)])
			if (store.get(key)) throw conflict(path, 'Conflict with existing key.')
		}
		write(path, sorted, scope, named(table, rows.names))
		return returned?.(sorted)
	}
	// Cells that stay as they are were read.
	if (mode === 'UPSERT' && rows.width < table.columns.length)
		transaction.read(
			path,
			entries.map(({ key }) => point(key)),
		)
	if (mode === 'REPLACE') write(path, entries, scope, { ...named(table, rows.names), op: 'reset' })
	else if (!fresh) write(path, entries, scope, named(table, rows.names))
	else {
		const isNew = ({ key }: Entry): boolean => store.get(key) === undefined
		const defaults = table.columns.filter(({ otherwise }) => otherwise).map(({ name }) => name)
		const news = entries.filter(isNew)
		write(path, news, scope, named(table, [...new Set([...rows.names, ...defaults])]))
		write(
			path,
			entries.filter((entry) => !news.includes(entry)),
			scope,
			named(table, rows.names),
		)
	}
	return returned?.(entries)
}

type Change = Omit<Changed, 'entries'>
/** The rows hold the keys of those that go. */
const erasing = (rows: readonly Entry[]): Change => ({ op: 'erase', erased: rows.map(({ row }) => row!) })

/** A change that gives those columns. */
function named(table: Table, names: readonly string[]): Change {
	return { op: 'update', columns: names.map((name) => table.columns.findIndex((column) => column.name === name)) }
}

function planWrite(
	path: string,
	type: 'MultiUpsert' | 'MultiErase',
	columns: readonly string[],
	scope: QueryScope,
): void {
	scope.accesses.steps.push({ path, kind: 'writes', type, columns, by: [] })
}

function write(path: string, entries: readonly Entry[], scope: QueryScope, change: Change): void {
	const access = scope.accesses.of(path)
	for (const { row } of entries)
		if (row) {
			access.updatedRows++
			access.updatedBytes += row.length
		} else access.deletedRows++
	scope.transaction.write(path, entries, change)
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

export function runUpdateOn(statement: Statement<'updateOn'>, scope: QueryScope): Selected | undefined {
	const { path, table } = scope.table(statement.path, statement.at)
	const rows = sourceOf(statement, table, path, scope, true)
	const returned = returns(table, statement.returning, statement.at, scope)
	planWrite(path, 'MultiUpsert', rows.names, scope)
	if (scope.dry) return returned?.([])
	const entries = rowsOf(table, rows.bytes, rows, { kept: scope.transaction.read(path, []), partial: true })
	const found = existing(entries, path, scope)
	checkUnique(table, path, found, scope)
	write(path, found, scope, named(table, rows.names))
	return returned?.(found)
}

export function runDeleteOn(statement: Statement<'deleteOn'>, scope: QueryScope): Selected | undefined {
	const { path, table } = scope.table(statement.path, statement.at)
	const rows = sourceOf(statement, table, path, scope, true, true)
	const returned = returns(table, statement.returning, statement.at, scope)
	planWrite(path, 'MultiErase', rows.names, scope)
	if (scope.dry) return returned?.([])
	const store = scope.transaction.read(path, [])
	const entries = rowsOf(table, rows.bytes, rows, { kept: store, partial: true })
	// What is given back was read.
	const gone = returned && existing(entries, path, scope).map(({ key }) => ({ key, row: store.get(key)! }))
	write(
		path,
		entries.map(({ key }) => ({ key, row: null })),
		scope,
		erasing(entries),
	)
	return returned?.(gone!)
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
	const found = keyRanges(table, where, within)
	const { ranges, exact } = found
	scope.accesses.steps.push(readStep(table, path, found, []))
	const store = scope.transaction.read(path, ranges)
	const access = scope.accesses.of(path)
	const read = { table, store, ranges, condition: exact ? undefined : condition, ordered: true, access }
	return { path, table, rows: scope.dry ? [] : tableRows(read).handles() }
}

export function runDelete(statement: Statement<'delete'>, scope: QueryScope): Selected | undefined {
	const { path: name, where, at, returning } = statement
	const { path, table, rows } = matching(name, where, at, scope)
	const returned = returns(table, returning, at, scope)
	planWrite(path, 'MultiErase', table.spec.primaryKey, scope)
	const found: Entry[] = []
	for (const { bytes } of rows) found.push({ key: keyOf(table, bytes), row: bytes })
	write(
		path,
		found.map(({ key }) => ({ key, row: null })),
		scope,
		erasing(found),
	)
	return returned?.(found)
}

export function runUpdate(statement: Statement<'update'>, scope: QueryScope): Selected | undefined {
	const { path: name, set, where, at, returning } = statement
	const { path, table, rows } = matching(name, where, at, scope)
	const returned = returns(table, returning, at, scope)
	const columns = tableColumns(table)
	const within = scope.withColumns(columns)
	const changes = set.map((each) => {
		const index = columns.findIndex((column) => column.name === each.name)
		if (index < 0) throw new YdbError('BAD_REQUEST', `No such column: ${each.name}`, 2017, { at: each.at })
		if (table.key.includes(index)) throw typeError(each.at, `Cannot update primary key column: ${each.name}`)
		const value = compile(each.value, within)
		if (!convert(null, optional(value.type), optional(columns[index]!.type), false) && !value.constant)
			throw typeError(
				each.at,
				`Failed to convert '${each.name}': ${typeName(value.type)} to ${typeName(columns[index]!.type)}`,
			)
		if (value.constant)
			converted(value.value(NO_ROW), value.type, columns[index]!.type, value.literal, each.name, each.at)
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
	planWrite(
		path,
		'MultiUpsert',
		members.map((each) => each.name),
		scope,
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
	write(
		path,
		entries,
		scope,
		named(
			table,
			members.map(({ name }) => name),
		),
	)
	return returned?.(entries)
}
