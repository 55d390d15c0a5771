import type { Typed } from './datum.ts'
import type { Position } from './lexer.ts'
import type { AccessAction, ObjectAction } from './object-ast.ts'
import type { YqlType } from './types.ts'

interface Placed {
	readonly at: Position
}

export type BinaryOperator = '=' | '<>' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '||' | '??' | 'AND' | 'OR'

export type Expression = Placed &
	(
		| { readonly kind: 'literal'; readonly typed: Typed }
		| { readonly kind: 'parameter'; readonly name: string }
		| { readonly kind: 'column'; readonly name: string }
		| { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
		| { readonly kind: 'nothing'; readonly type: YqlType }
		| { readonly kind: 'cast'; readonly item: Expression; readonly type: YqlType }
		| { readonly kind: 'not' | 'minus'; readonly item: Expression }
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
		| { readonly kind: 'count'; readonly item: Expression | undefined }
	)

export interface SelectItem {
	readonly value: Expression
	readonly alias: string | undefined
}

export type Source = Placed &
	({ readonly kind: 'table'; readonly path: string } | { readonly kind: 'rows'; readonly rows: Expression })

export interface Select extends Placed {
	/** Empty: every column. */
	readonly items: readonly SelectItem[]
	readonly from: Source | undefined
	readonly where: Expression | undefined
	readonly orderBy: readonly { readonly value: Expression; readonly descending: boolean }[]
	readonly limit: Expression | undefined
	readonly offset: Expression | undefined
}

export type WriteMode = 'UPSERT' | 'REPLACE' | 'INSERT'

export type WriteSource =
	| { readonly kind: 'values'; readonly rows: readonly (readonly Expression[])[] }
	| { readonly kind: 'select'; readonly select: Select }

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
		  }
		| { readonly kind: 'delete'; readonly path: string; readonly where: Expression | undefined }
		| {
				readonly kind: 'deleteOn'
				readonly path: string
				readonly columns: readonly string[] | undefined
				readonly source: WriteSource
		  }
		| {
				readonly kind: 'updateOn'
				readonly path: string
				readonly columns: readonly string[] | undefined
				readonly source: WriteSource
		  }
		| {
				readonly kind: 'update'
				readonly path: string
				readonly set: readonly { readonly name: string; readonly value: Expression; readonly at: Position }[]
				readonly where: Expression | undefined
		  }
	)

export type Statement =
	| SchemeStatement
	| DataStatement
	| (Placed & { readonly kind: 'declare'; readonly name: string; readonly type: YqlType })
	| (Placed & { readonly kind: 'assign'; readonly name: string; readonly value: Expression })
	| (Placed & { readonly kind: 'pragma'; readonly name: string; readonly value: string | undefined })
