import type { DefinedKind } from '@ydbackup/core'
import { invalid, type Token, tokenize } from './tokens.ts'

/** Kinds that YQL makes. */
export type StatedKind = Exclude<DefinedKind, 'topic' | 'coordination-node'>

/** What a `create_*.sql` file says: it makes one object and does nothing else. */
export interface CreateStatement {
	readonly kind: StatedKind
	/** Of the object, as the statement has it. */
	readonly name: string
	/** Pragmas and named expressions, each without its semicolon. */
	readonly context: readonly (readonly Token[])[]
	/** The statement itself. */
	readonly tokens: readonly Token[]
	/** Where in it the name stands. */
	readonly nameAt: number
}

const CREATES: readonly (readonly [kind: StatedKind, words: readonly string[]])[] = [
	['view', ['VIEW']],
	['replication', ['ASYNC', 'REPLICATION']],
	['transfer', ['TRANSFER']],
	['external-data-source', ['EXTERNAL', 'DATA', 'SOURCE']],
	['external-table', ['EXTERNAL', 'TABLE']],
]

/** Statements without the semicolons between them; those within brackets and lambdas do not count. Errors: `FORMAT_INVALID`. */
export function splitStatements(text: string, file: string): Token[][] {
	const statements: Token[][] = [[]]
	let depth = 0
	for (const token of tokenize(text, file)) {
		if (token.kind === 'sign' && '([{'.includes(token.text)) depth += 1
		if (token.kind === 'sign' && ')]}'.includes(token.text)) depth -= 1
		if (depth < 0) throw invalid(file, 'it closes more brackets than it opens')
		if (token.kind === 'sign' && token.text === ';' && depth === 0) statements.push([])
		else statements.at(-1)!.push(token)
	}
	if (depth !== 0) throw invalid(file, 'it has a bracket that nothing closes')
	return statements.filter((tokens) => tokens.some(({ kind }) => kind !== 'blank'))
}

/**
 * Reads the statements that make an object. Everything but pragmas and named expressions before it is refused, and anything behind it: what lies on
 * storage may be anybody's, and is sent to the database. Errors: `FORMAT_INVALID` naming `file`.
 */
export function readCreateStatement(text: string, kind: StatedKind, file: string): CreateStatement {
	const statements = splitStatements(text, file)
	const tokens = statements.pop() ?? []
	for (const each of statements) checkContext(each, file)
	const words = significant(tokens)
	const wanted = CREATES.find(([known]) => known === kind)![1]
	let at = 0
	const takes = (word: string): boolean => {
		const token = words[at]
		if (token?.token.kind !== 'word' || token.token.value !== word) return false
		at += 1
		return true
	}
	const isCreate = takes('CREATE') && (kind.startsWith('external') && takes('OR') ? takes('REPLACE') : true)
	if (!isCreate || !wanted.every(takes)) throw invalid(file, `its last statement does not create a ${kind}`)
	if (takes('IF') && !(takes('NOT') && takes('EXISTS'))) throw invalid(file, 'it has IF without NOT EXISTS')
	const name = words[at]
	if (name?.token.kind !== 'name' && name?.token.kind !== 'word') throw invalid(file, 'it names no object')
	const next = words[at + 1]?.token
	if (next?.kind === 'sign' && next.text === '.') throw invalid(file, 'it names no object of this database')
	const value = name.token.kind === 'name' ? name.token.value : name.token.text
	return { kind, name: value, context: statements, tokens, nameAt: name.at }
}

function checkContext(tokens: readonly Token[], file: string): void {
	const [first, second] = significant(tokens)
	if (first?.token.kind === 'word' && first.token.value === 'PRAGMA') return
	if (first?.token.kind === 'parameter' && second?.token.text === '=') return
	throw invalid(file, 'it does more than create one object')
}

/** The tokens that mean something, with their places. */
export function significant(tokens: readonly Token[]): { readonly token: Token; readonly at: number }[] {
	return tokens.flatMap((token, at) => (token.kind === 'blank' ? [] : [{ token, at }]))
}

export function textOf(tokens: readonly Token[]): string {
	return tokens
		.map(({ text }) => text)
		.join('')
		.trim()
}
