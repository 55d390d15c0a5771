import { YdbError } from '../error.ts'
import type { DataStatement, Statement } from './ast.ts'
import { type SchemeChange, schemeChanges } from './ddl.ts'
import { constantOf } from './evaluate.ts'
import { syntaxError } from './lexer.ts'
import type { QueryScope } from './query-scope.ts'
import { runSelect, type Selected } from './select.ts'
import { runDelete, runDeleteOn, runUpdate, runUpdateOn, runWrite } from './write.ts'

/** Pragmas that change nothing here. */
const WITHOUT_EFFECT = new Set(
	'simplecolumns disablesimplecolumns ansiinforemptyornullableitemscollections warning disableorderedcolumns kikimr.isolationlevel ydb.disableindexautoselect ansilike ansioptionalas'.split(
		' ',
	),
)

const SCHEME_KINDS = new Set<string>(['createTable', 'dropTable', 'alterTable', 'alterSequence', 'object', 'access'])

export function isScheme({ kind }: Statement): boolean {
	return SCHEME_KINDS.has(kind)
}

function touchesTables(statement: Statement): boolean {
	if (statement.kind === 'select') return statement.select.from?.kind === 'table'
	return ['write', 'delete', 'deleteOn', 'update', 'updateOn'].includes(statement.kind)
}

export interface RunOptions {
	readonly scope: QueryScope
	/** Whether the query has a transaction of its own choice: none can hold a change of the scheme. */
	readonly inTransaction: boolean
	/** Carries out a change of the scheme. */
	change(change: SchemeChange): void
}

/** Runs the statements of a query. Writes go to the transaction of the scope; results show the state after their statement. */
export function run(statements: readonly Statement[], { scope, inTransaction, change }: RunOptions): Selected[] {
	if (statements.some(isScheme)) {
		if (statements.some(touchesTables))
			throw new YdbError(
				'GENERIC_ERROR',
				'Queries with mixed data and scheme operations are not supported. Use separate queries for different types of operations.',
				2009,
			)
		if (inTransaction)
			throw new YdbError('PRECONDITION_FAILED', 'Scheme operations cannot be executed inside transaction')
	}
	const results: Selected[] = []
	for (const statement of statements) {
		switch (statement.kind) {
			case 'pragma':
				pragma(statement, scope)
				break
			case 'declare':
				scope.declare(statement.name, statement.type)
				break
			case 'assign':
				scope.assign(statement.name, constantOf(statement.value, scope))
				scope.context.push(statement.text)
				break
			case 'named':
				if (!statements.some(isScheme))
					throw new YdbError('UNSUPPORTED', 'a named SELECT is not emulated', 0, statement)
				scope.context.push(statement.text)
				break
			case 'createTable':
			case 'dropTable':
			case 'alterTable':
			case 'alterSequence':
			case 'object':
			case 'access':
				for (const each of schemeChanges(statement, scope)) change(each)
				break
			default:
				data(statement, scope, results)
		}
	}
	return results
}

function data(statement: DataStatement, scope: QueryScope, results: Selected[]): void {
	const result = carryOut(statement, scope)
	if (result) results.push(result)
}

function carryOut(statement: DataStatement, scope: QueryScope): Selected | undefined {
	switch (statement.kind) {
		case 'select':
			return runSelect(statement.select, scope)
		case 'write':
			return runWrite(statement, scope)
		case 'updateOn':
			return runUpdateOn(statement, scope)
		case 'update':
			return runUpdate(statement, scope)
		case 'deleteOn':
			return runDeleteOn(statement, scope)
		case 'delete':
			return runDelete(statement, scope)
	}
}

function pragma({ name, value, at }: Extract<Statement, { kind: 'pragma' }>, scope: QueryScope): void {
	const lower = name.toLowerCase()
	if (lower === 'tablepathprefix') {
		if (value === undefined) throw syntaxError(at, 'PRAGMA TablePathPrefix needs a path')
		scope.prefix = value.replace(/\/+$/, '')
	} else if (lower === 'orderedcolumns') scope.orderedColumns = true
	else if (!WITHOUT_EFFECT.has(lower)) throw new YdbError('UNSUPPORTED', `PRAGMA ${name} is not emulated`, 0, { at })
}
