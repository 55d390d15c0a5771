import type { Typed } from './datum.ts'
import type { Position } from './lexer.ts'
import type { AccessAction, ObjectAction } from './object-ast.ts'
import type { YqlType } from './types.ts'

interface Placed {
	readonly at: Position
}

export type BinaryOperator =
	| ('=' | '<>' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%' | '||' | '??' | 'AND' | 'OR' | 'XOR')
	| ('|' | '&' | '^' | '<<' | '>>' | 'IS DISTINCT FROM' | 'IS NOT DISTINCT FROM')

/** `COUNT(*)` has no item. */
export type Aggregate = Placed & {
	readonly kind: 'aggregate'
	/** In upper case. */
	readonly name: string
	readonly distinct: boolean
	readonly item: Expression | undefined
}

export type Expression = Placed &
	(
		| { readonly kind: 'literal'; readonly typed: Typed }
		| { readonly kind: 'parameter'; readonly name: string }
		| { readonly kind: 'column'; readonly name: string; readonly source?: string }
		/** A member of a struct, by name, or of a tuple, by position. */
		| { readonly kind: 'member'; readonly item: Expression; readonly name: string }
		| { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
		| { readonly kind: 'nothing'; readonly type: YqlType }
		| { readonly kind: 'cast'; readonly item: Expression; readonly type: YqlType }
		| { readonly kind: 'not' | 'minus' | 'bitNot'; readonly item: Expression }
		| {
				readonly kind: 'binary'
				readonly operator: BinaryOperator
				readonly left: Expression
				readonly right: Expression
		  }
		| { readonly kind: 'in'; readonly item: Expression; readonly among: Expression; readonly negated: boolean }
		| {
				readonly kind: 'between'
				readonly item: Expression
				readonly least: Expression
				readonly most: Expression
				readonly negated: boolean
		  }
		| { readonly kind: 'isNull'; readonly item: Expression; readonly negated: boolean }
		| { readonly kind: 'tuple' | 'list'; readonly items: readonly Expression[] }
		| {
				readonly kind: 'struct'
				readonly members: readonly { readonly name: string; readonly value: Expression }[]
		  }
		| {
				readonly kind: 'like'
				readonly item: Expression
				readonly pattern: Expression
				readonly escape: Expression | undefined
				readonly insensitive: boolean
				readonly negated: boolean
		  }
		| {
				readonly kind: 'case'
				readonly branches: readonly { readonly when: Expression; readonly then: Expression }[]
				/** IF may have none. */
				readonly otherwise: Expression | undefined
		  }
		| Aggregate
	)

export interface SelectItem {
	readonly value: Expression
	readonly alias: string | undefined
}

export type Source = Placed & { readonly alias: string | undefined } & (
		| { readonly kind: 'table'; readonly path: string; readonly view: string | undefined }
		| { readonly kind: 'rows'; readonly rows: Expression }
	)

export interface OrderItem {
	readonly value: Expression
	readonly descending: boolean
}

export interface Select extends Placed {
	readonly distinct: boolean
	/** Empty: every column. */
	readonly items: readonly SelectItem[]
	readonly from: Source | undefined
	readonly where: Expression | undefined
	readonly groupBy: readonly SelectItem[]
	readonly having: Expression | undefined
	readonly orderBy: readonly OrderItem[]
	readonly limit: Expression | undefined
	readonly offset: Expression | undefined
}

export type WriteMode = 'UPSERT' | 'REPLACE' | 'INSERT'

export type WriteSource =
	| { readonly kind: 'values'; readonly rows: readonly (readonly Expression[])[] }
	| { readonly kind: 'select'; readonly select: Select }

/** Columns to give back after a write; none: all. */
export type Returning = readonly string[] | undefined

export interface ColumnDefinition extends Placed {
	readonly name: string
	readonly type: YqlType
	readonly notNull: boolean
	readonly serial: boolean
	readonly otherwise: Expression | undefined
	readonly family: string | undefined
}

/** `FAMILY name (DATA = …, COMPRESSION = …)` */
export interface FamilyDefinition extends Placed {
	readonly name: string
	readonly settings: readonly Setting[]
}

export interface FeedDefinition extends Placed {
	readonly name: string
	readonly settings: readonly Setting[]
}

export interface IndexDefinition {
	readonly name: string
	readonly kind: 'sync' | 'async' | 'unique'
	readonly columns: readonly string[]
	readonly cover: readonly string[]
}

export type SettingValue =
	| { readonly kind: 'word'; readonly word: string }
	| { readonly kind: 'number'; readonly value: bigint }
	| { readonly kind: 'text'; readonly text: string }
	| { readonly kind: 'expression'; readonly expression: Expression }
	| { readonly kind: 'keys'; readonly keys: readonly (readonly Expression[])[] }
	| {
			readonly kind: 'ttl'
			readonly interval: Expression
			readonly column: string
			readonly unit: string | undefined
	  }

export interface Setting extends Placed {
	readonly name: string
	readonly value: SettingValue
}

export type Alteration = Placed &
	(
		| { readonly kind: 'addColumn'; readonly column: ColumnDefinition }
		| { readonly kind: 'dropColumn'; readonly name: string }
		| { readonly kind: 'renameTo'; readonly path: string }
		| { readonly kind: 'set'; readonly settings: readonly Setting[] }
		| { readonly kind: 'reset'; readonly names: readonly string[] }
		| { readonly kind: 'addIndex'; readonly index: IndexDefinition }
		| { readonly kind: 'dropIndex'; readonly name: string }
		| { readonly kind: 'renameIndex'; readonly from: string; readonly to: string }
		| { readonly kind: 'setIndex'; readonly name: string; readonly settings: readonly Setting[] }
		| { readonly kind: 'addFamily' | 'alterFamily'; readonly family: FamilyDefinition }
		| { readonly kind: 'setFamily'; readonly column: string; readonly family: string }
		| { readonly kind: 'dropNotNull'; readonly column: string }
		| { readonly kind: 'addFeed'; readonly feed: FeedDefinition }
		| { readonly kind: 'dropFeed'; readonly name: string }
	)

export type SchemeStatement = Placed &
	(
		| {
				readonly kind: 'createTable'
				readonly path: string
				readonly ifNotExists: boolean
				readonly columns: readonly ColumnDefinition[]
				readonly primaryKey: readonly string[]
				readonly indexes: readonly IndexDefinition[]
				readonly families: readonly FamilyDefinition[]
				readonly hash: readonly string[]
				readonly settings: readonly Setting[]
		  }
		| { readonly kind: 'dropTable'; readonly path: string; readonly ifExists: boolean }
		| { readonly kind: 'object'; readonly action: ObjectAction }
		| { readonly kind: 'access'; readonly action: AccessAction }
		| {
				readonly kind: 'alterSequence'
				readonly path: string
				readonly ifExists: boolean
				readonly start?: bigint
				readonly increment?: bigint
				readonly restart?: bigint | 'start'
		  }
		| { readonly kind: 'alterTable'; readonly path: string; readonly actions: readonly Alteration[] }
	)

export type DataStatement = Placed &
	(
		| { readonly kind: 'select'; readonly select: Select }
		| {
				readonly kind: 'write'
				readonly mode: WriteMode
				readonly path: string
				readonly columns: readonly string[] | undefined
				readonly source: WriteSource
				readonly returning: Returning
		  }
		| {
				readonly kind: 'delete'
				readonly path: string
				readonly where: Expression | undefined
				readonly returning: Returning
		  }
		| {
				readonly kind: 'deleteOn'
				readonly path: string
				readonly columns: readonly string[] | undefined
				readonly source: WriteSource
				readonly returning: Returning
		  }
		| {
				readonly kind: 'updateOn'
				readonly path: string
				readonly columns: readonly string[] | undefined
				readonly source: WriteSource
				readonly returning: Returning
		  }
		| {
				readonly kind: 'update'
				readonly path: string
				readonly set: readonly { readonly name: string; readonly value: Expression; readonly at: Position }[]
				readonly where: Expression | undefined
				readonly returning: Returning
		  }
	)

export type Statement =
	| SchemeStatement
	| DataStatement
	| (Placed & { readonly kind: 'declare'; readonly name: string; readonly type: YqlType })
	| (Placed & { readonly kind: 'assign'; readonly name: string; readonly value: Expression; readonly text: string })
	/** A name for a lambda or a SELECT, which is not evaluated. */
	| (Placed & { readonly kind: 'named'; readonly text: string })
	| (Placed & { readonly kind: 'pragma'; readonly name: string; readonly value: string | undefined })
