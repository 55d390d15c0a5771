import { OBJECT, type SequenceChange } from '../services/objects.ts'
import { YdbError } from '../error.ts'
import type { SchemeStatement } from './ast.ts'
import type { SchemeChange } from './ddl.ts'
import { type Position, syntaxError } from './lexer.ts'
import type { QueryScope } from './query-scope.ts'
import type { TokenCursor } from './token-cursor.ts'

type AlterSequence = Extract<SchemeStatement, { kind: 'alterSequence' }>

/** What stands after ALTER SEQUENCE. Source: YDB's documentation of ALTER SEQUENCE. */
export function parseAlterSequence(cursor: TokenCursor, at: Position): AlterSequence {
	const ifExists = cursor.takeWord('IF', 'EXISTS')
	const path = cursor.name('a sequence')
	const out: { start?: bigint; increment?: bigint; restart?: bigint | 'start' } = {}
	const number = (): bigint => {
		const negative = cursor.takeSign('-')
		const token = cursor.next()
		if (token.kind !== 'number' || !/^\d+$/.test(token.digits)) throw syntaxError(token.at, 'expecting a number')
		return negative ? -BigInt(token.digits) : BigInt(token.digits)
	}
	while (!cursor.atEnd && !cursor.isSign(';')) {
		if (cursor.takeWord('START')) {
			cursor.takeWord('WITH')
			out.start = number()
		} else if (cursor.takeWord('INCREMENT')) {
			cursor.takeWord('BY')
			out.increment = number()
		} else if (cursor.takeWord('RESTART')) {
			const given = cursor.takeWord('WITH') || cursor.token.kind === 'number'
			out.restart = given ? number() : 'start'
		} else throw cursor.unexpected('START, INCREMENT or RESTART')
	}
	return { kind: 'alterSequence', at, path, ifExists, ...out }
}

export function sequenceChanges(statement: AlterSequence, scope: QueryScope): SchemeChange[] {
	// Only its absolute path finds it, as servers 25.1 and 26.2 were measured to do.
	const { path } = statement
	if (!path.startsWith(`${scope.tree.database}/`)) {
		if (statement.ifExists) return []
		throw new YdbError('SCHEME_ERROR', `Path does not exist: ${path}`, 200200)
	}
	const parent = path.slice(0, path.lastIndexOf('/'))
	const name = path.slice(path.lastIndexOf('/') + 1)
	const [column, sequence] =
		[...(scope.tree.find(parent)?.table?.sequences ?? [])].find(([, each]) => each.name === name) ?? []
	if (!sequence || column === undefined) {
		if (statement.ifExists) return []
		throw new YdbError('SCHEME_ERROR', `Path does not exist: ${path}`, 200200)
	}
	const { start, increment, restart } = statement
	const restarted = restart === 'start' ? (start ?? sequence.start) : restart
	const change: SequenceChange = {
		path: parent,
		column,
		...(start !== undefined && { start: String(start) }),
		...(increment !== undefined && { increment: String(increment) }),
		...(restarted !== undefined && { restart: String(restarted) }),
	}
	return [{ method: OBJECT.alterSequence, request: Buffer.from(JSON.stringify(change)) }]
}
