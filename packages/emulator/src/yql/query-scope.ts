import { fromBinary } from '@bufbuild/protobuf'
import { TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { Transaction } from '../store/transaction.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import type { Table } from '../scheme/table.ts'
import { field, type Span } from '../wire/cursor.ts'
import { Accesses } from './access.ts'
import { decode, emptyValue, type Typed } from './datum.ts'
import type { Scope } from './evaluate.ts'
import { type Position, syntaxError } from './lexer.ts'
import { fromProto, optional, sameTypes, typeName, type YqlType } from './types.ts'

/** A parameter as it came: its value is decoded only when an expression needs it. */
export interface GivenParameter {
	readonly bytes: Buffer
	/** The `Ydb.TypedValue`. */
	readonly typed: Span
	readonly type: YqlType
}

export function givenParameter(bytes: Buffer, typed: Span): GivenParameter {
	const type = field(bytes, typed, 0x0a)
	if (!type) throw new YdbError('BAD_REQUEST', 'a parameter has no type')
	return { bytes, typed, type: fromProto(fromBinary(TypeSchema, bytes.subarray(type.start, type.end))) }
}

/** The refusal of a table that is not there, or not there for this user. */
export function noSuchTable(path: string, at: Position): YdbError {
	return new YdbError(
		'SCHEME_ERROR',
		`Cannot find table 'db.[${path}]' because it does not exist or you do not have access permissions. Please check correctness of table path and user permissions.`,
		2003,
		{ at, within: [['Type annotation', 1030]] },
	)
}

/** What the names of a query mean. */
export class QueryScope implements Scope {
	readonly tree: SchemeTree
	readonly transaction: Transaction
	readonly given: ReadonlyMap<string, GivenParameter>
	readonly now: bigint
	readonly version: string
	readonly #named = new Map<string, Typed>()
	readonly #decoded = new Map<string, Typed>()
	/** What the query does to tables. */
	readonly accesses: Accesses = new Accesses()
	/** Types are checked, nothing is read or written; parameters may have no values. */
	readonly dry: boolean
	orderedColumns = false
	/** The statements that gave names to expressions, as they were written. */
	readonly context: string[] = []
	prefix = ''

	constructor(
		tree: SchemeTree,
		transaction: Transaction,
		given: ReadonlyMap<string, GivenParameter>,
		about: { readonly now: bigint; readonly version: string; readonly dry?: boolean },
	) {
		this.dry = about.dry ?? false
		this.tree = tree
		this.transaction = transaction
		this.given = given
		this.now = about.now
		this.version = about.version
	}

	column(name: string, at: Position): never {
		throw syntaxError(at, `Column references are not allowed without FROM: Column reference '${name}'`)
	}

	assign(name: string, typed: Typed): void {
		this.#named.set(name, typed)
	}

	declare(name: string, type: YqlType): void {
		const given = this.given.get(name)
		if (given && !sameTypes(given.type, type))
			throw new YdbError(
				'BAD_REQUEST',
				`Parameter ${name} type mismatch, expected: ${typeName(type)}, actual: ${typeName(given.type)}`,
				1030,
			)
		if (given) return
		if (this.dry) {
			this.#decoded.set(name, { type, value: emptyValue(type) })
			return
		}
		if (type.kind !== 'optional') throw new YdbError('BAD_REQUEST', `Missing value for parameter: ${name}`)
		this.#decoded.set(name, { type, value: null })
	}

	/** The parameter of that name, unless a statement gave the name another meaning. */
	raw(name: string): GivenParameter | undefined {
		return this.#named.has(name) ? undefined : this.given.get(name)
	}

	parameter(name: string, at: Position): Typed {
		const known = this.#named.get(name) ?? this.#decoded.get(name)
		if (known) return known
		const given = this.given.get(name)
		if (!given) throw syntaxError(at, `Unknown name: ${name}`)
		const span = field(given.bytes, given.typed, 0x12)
		const value =
			span || given.type.kind !== 'list' ? decode(given.bytes, span ?? { start: 0, end: 0 }, given.type, name) : []
		const typed = { type: given.type, value }
		this.#decoded.set(name, typed)
		return typed
	}

	/** The absolute path that a statement means. */
	path(name: string): string {
		const path = name.startsWith('/') || this.prefix === '' ? name : `${this.prefix}/${name}`
		return path.startsWith('/') ? path : `${this.tree.database}/${path}`
	}

	table(name: string, at: Position): { readonly path: string; readonly table: Table } {
		const path = this.path(name)
		const inside = path === this.tree.database || path.startsWith(`${this.tree.database}/`)
		const table = inside ? this.tree.find(path)?.table : undefined
		if (inside && this.tree.find(path)?.kind === 'view')
			throw new YdbError('UNSUPPORTED', `${path} is a view: reading it is not emulated`, 0, { at })
		if (!table) throw noSuchTable(path, at)
		return { path, table }
	}

	/** The same names, and those of columns of a source with some names. */
	withColumns(
		columns: readonly { readonly name: string; readonly type: YqlType }[],
		sources?: readonly string[],
	): Scope {
		const positions = new Map(columns.map(({ name, type }, index) => [name, { index, type }]))
		return {
			column(name, at, source) {
				if (source !== undefined && !sources?.includes(source))
					throw syntaxError(at, `Unknown correlation name: ${source}`)
				return positions.get(name)
			},
			parameter: (name, at) => this.parameter(name, at),
			now: this.now,
			version: this.version,
		}
	}
}

export function tableColumns(table: Table): { readonly name: string; readonly type: YqlType }[] {
	return table.columns.map(({ name, cell, notNull }) => {
		const type: YqlType = { kind: 'data', data: cell }
		return { name, type: notNull ? type : optional(type) }
	})
}
