import type { Right } from '../scheme/rights.ts'
import type { Statement } from './ast.ts'
import type { Position } from './lexer.ts'

export interface Touched {
	readonly path: string
	readonly at: Position
	readonly rights: readonly Right[]
}

const SELECT: Right = 'ydb.granular.select_row'
const UPDATE: Right = 'ydb.granular.update_row'
const ERASE: Right = 'ydb.granular.erase_row'

/** What a statement needs of the table that it names. Source: YDB's tests, KqpAcl AclForOltpAndOlap. */
const NEEDS: Readonly<Record<string, readonly Right[]>> = {
	write: [UPDATE],
	updateOn: [UPDATE],
	update: [SELECT, UPDATE],
	deleteOn: [ERASE],
	delete: [SELECT, ERASE],
	alterTable: [],
	dropTable: [],
}

interface Placed {
	readonly kind?: unknown
	readonly path?: unknown
	readonly at?: Position
}

/** The tables that statements name, with the rights that this needs: those of the statements, and what is read anywhere within. */
export function* touched(statements: readonly Statement[], database: string): Generator<Touched> {
	let prefix = ''
	const full = (path: string): string => {
		const prefixed = path.startsWith('/') || prefix === '' ? path : `${prefix}/${path}`
		return prefixed.startsWith('/') ? prefixed : `${database}/${prefixed}`
	}
	for (const statement of statements) {
		if (statement.kind === 'pragma' && statement.name.toLowerCase() === 'tablepathprefix')
			prefix = (statement.value ?? '').replace(/\/+$/, '')
		const rights = NEEDS[statement.kind]
		if (rights && 'path' in statement) yield { path: full(statement.path), at: statement.at, rights }
		for (const { path, at } of sources(statement)) yield { path: full(path as string), at: at!, rights: [SELECT] }
	}
}

/** Sources of rows that are tables, at any depth. */
function* sources(within: object): Generator<Placed> {
	for (const value of Object.values(within) as unknown[]) {
		if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) continue
		const placed = value as Placed
		if (placed.kind === 'table' && typeof placed.path === 'string') yield placed
		yield* sources(value)
	}
}
