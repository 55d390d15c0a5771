import type { ColumnDefinition, Setting } from './ast.ts'
import type { Position } from './lexer.ts'

export interface ConsumerDefinition {
	readonly at: Position
	readonly name: string
	readonly settings: readonly Setting[]
}

export type TopicAction =
	| { readonly kind: 'addConsumer' | 'alterConsumer'; readonly consumer: ConsumerDefinition }
	| { readonly kind: 'dropConsumer'; readonly name: string }
	| { readonly kind: 'set'; readonly settings: readonly Setting[] }

interface Named {
	readonly path: string
	readonly ifNotExists: boolean
}

export type DroppedKind = 'view' | 'topic' | 'externalDataSource' | 'externalTable' | 'replication' | 'transfer'

/** Statements about objects other than tables. */
export type ObjectAction =
	| (Named & { readonly kind: 'createView'; readonly settings: readonly Setting[]; readonly query: string })
	| (Named & {
			readonly kind: 'createDefinition'
			readonly what: 'externalDataSource' | 'externalTable' | 'replication' | 'transfer'
			readonly replace: boolean
			readonly columns: readonly ColumnDefinition[]
			readonly settings: readonly Setting[]
			readonly text: string
			/** Of a replication and a transfer: from where to where. */
			readonly targets: readonly (readonly [from: string, to: string])[]
			/** Of a transfer: what stands behind USING. */
			readonly lambda: string
	  })
	| (Named & {
			readonly kind: 'createTopic'
			readonly consumers: readonly ConsumerDefinition[]
			readonly settings: readonly Setting[]
	  })
	| {
			readonly kind: 'createCollection'
			readonly name: string
			/** The whole database instead of tables. */
			readonly database: boolean
			readonly tables: readonly string[]
			readonly settings: readonly Setting[]
	  }
	| { readonly kind: 'dropCollection'; readonly name: string }
	| { readonly kind: 'restore'; readonly name: string }
	| { readonly kind: 'backup'; readonly name: string; readonly incremental: boolean }
	| { readonly kind: 'alterTopic'; readonly path: string; readonly actions: readonly TopicAction[] }
	| { readonly kind: 'drop'; readonly what: DroppedKind; readonly path: string; readonly ifExists: boolean }

export interface Secret {
	readonly kind: 'password' | 'hash'
	readonly text: string
}

/** Statements about users, groups and rights. */
export type AccessAction =
	| {
			readonly kind: 'createUser' | 'alterUser'
			readonly name: string
			readonly secret: Secret | undefined
			readonly login: boolean | undefined
	  }
	| { readonly kind: 'createGroup'; readonly name: string; readonly users: readonly string[] }
	| { readonly kind: 'addUsers' | 'dropUsers'; readonly name: string; readonly users: readonly string[] }
	| { readonly kind: 'rename'; readonly what: 'user' | 'group'; readonly name: string; readonly to: string }
	| {
			readonly kind: 'dropAccounts'
			readonly what: 'user' | 'group'
			readonly names: readonly string[]
			readonly ifExists: boolean
	  }
	| {
			readonly kind: 'grant' | 'revoke'
			readonly rights: readonly string[]
			readonly paths: readonly string[]
			readonly subjects: readonly string[]
	  }
