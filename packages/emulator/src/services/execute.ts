import { create } from '@bufbuild/protobuf'
import { ColumnSchema, type Column } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { type Effect, Transaction } from '../store/transaction.ts'
import { field, fields, type Span } from '../wire/cursor.ts'
import { parse } from '../yql/parser.ts'
import { type GivenParameter, givenParameter, QueryScope } from '../yql/query-scope.ts'
import { isScheme, run } from '../yql/run.ts'
import type { Statement } from '../yql/ast.ts'
import type { Selected } from '../yql/select.ts'
import { toProto } from '../yql/types.ts'
import type { AccessControl } from './access.ts'
import type { Session, Sessions } from './sessions.ts'

export interface Changes {
	/** Carries out a request of the table service and keeps it. */
	scheme(method: string, request: Uint8Array, user: string): void
	/** Keeps rows that a commit changed. */
	rows(effects: readonly Effect[]): void
	/** Done when everything so far is kept. */
	kept(): Promise<void>
}

export interface Surroundings {
	readonly tree: SchemeTree
	readonly sessions: Sessions
	readonly changes: Changes
	readonly version: string
	/** Only when users have to log in. */
	readonly access?: AccessControl | undefined
}

export type Control =
	| { readonly kind: 'implicit' }
	| { readonly kind: 'begin'; readonly commit: boolean; readonly readOnly: boolean }
	| { readonly kind: 'known'; readonly id: string; readonly commit: boolean }

export interface Query {
	readonly text: string
	readonly parameters: ReadonlyMap<string, GivenParameter>
	readonly control: Control
	readonly session: Session | undefined
	readonly user: string
	/** Which statements the call is for. */
	readonly only?: 'scheme' | 'data'
}

export interface Outcome {
	readonly results: readonly Selected[]
	/** Empty when no transaction stays open. */
	readonly transactionId: string
}

/** The parameters of a request: a map whose entries are fields with that tag byte. */
export function parametersOf(request: Buffer, tag: number): Map<string, GivenParameter> {
	const out = new Map<string, GivenParameter>()
	const all: Span = { start: 0, end: request.length }
	for (const entry of fields(request, all, tag)) {
		const name = field(request, entry, 0x0a)
		const typed = field(request, entry, 0x12)
		if (!name || !typed) throw new YdbError('BAD_REQUEST', 'a parameter has no name or no value')
		out.set(request.toString('utf8', name.start, name.end), givenParameter(request, typed))
	}
	return out
}

function writes(kind: string): boolean {
	return !['select', 'pragma', 'declare', 'assign'].includes(kind)
}

/** Runs a query: all of its writes, or none. Everything that it changed is on the disk when it returns. */
export async function execute(around: Surroundings, query: Query): Promise<Outcome> {
	const { tree, sessions, changes, version } = around
	const { session, control, user } = query
	let id = ''
	let transaction: Transaction
	if (control.kind === 'known') {
		if (!session) throw new YdbError('BAD_REQUEST', 'a transaction needs a session')
		transaction = sessions.transaction(session, control.id)
		;({ id } = control)
	} else if (control.kind === 'begin' && !control.commit) {
		if (!session) throw new YdbError('BAD_REQUEST', 'a transaction needs a session')
		id = sessions.begin(session)
		transaction = sessions.transaction(session, id)
	} else transaction = new Transaction(tree)
	try {
		const statements = parse(query.text)
		around.access?.checkQuery(statements, user)
		if (query.only === 'data' && statements.some(isScheme))
			throw new YdbError('PRECONDITION_FAILED', 'Scheme operations cannot be executed inside transaction')
		const isData = (statement: Statement): boolean =>
			!isScheme(statement) && (statement.kind === 'select' || writes(statement.kind))
		if (query.only === 'scheme' && statements.some(isData))
			throw new YdbError('GENERIC_ERROR', "Data operations can't be performed in a scheme query", 2008)
		if (control.kind === 'begin' && control.readOnly && statements.some(({ kind }) => writes(kind)))
			throw new YdbError('GENERIC_ERROR', "Operation can't be performed in read only transaction", 2008)
		const scope = new QueryScope(tree, transaction, query.parameters, {
			now: BigInt(Date.now()) * 1000n,
			version,
		})
		const results = run(statements, {
			scope,
			inTransaction: control.kind !== 'implicit',
			change: ({ method, request }) => changes.scheme(method, request, user),
		})
		const commits = control.kind === 'implicit' || control.commit
		if (commits) {
			if (id) session!.transactions.delete(id)
			changes.rows(transaction.commit())
		}
		await changes.kept()
		return { results, transactionId: commits ? '' : id }
	} catch (error) {
		// A failed query ends its transaction.
		if (id) session?.transactions.delete(id)
		await changes.kept()
		throw error
	}
}

export function columnsOf({ columns }: Selected): Column[] {
	return columns.map(({ name, type }) => create(ColumnSchema, { name, type: toProto(type) }))
}
