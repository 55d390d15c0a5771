import type { Faults } from '../faults.ts'
import { create } from '@bufbuild/protobuf'
import { ColumnSchema, type Column } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { type Effect, Transaction } from '../store/transaction.ts'
import { field, fields, type Span } from '../wire/cursor.ts'
import { parse } from '../yql/parser.ts'
import { type GivenParameter, givenParameter, QueryScope } from '../yql/query-scope.ts'
import { isScheme, run } from '../yql/run.ts'
import type { Accesses } from '../yql/access.ts'
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
	readonly faults: Faults
	readonly sessions: Sessions
	readonly changes: Changes
	readonly version: string
	/** The node that was asked. */
	readonly nodeId: number
	/** Milliseconds since 1970 by the server's clock. */
	now(): number
	/** Only when users have to log in. */
	readonly access?: AccessControl | undefined
	/** Told of the text of a query before it is parsed. */
	readonly heard?: (text: string) => void
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
	/** Types are checked, nothing is read or changed. */
	readonly dry?: boolean
}

export interface Outcome {
	readonly results: readonly Selected[]
	/** Empty when no transaction stays open. */
	readonly transactionId: string
	/** Complete when the results were read. */
	readonly accesses: Accesses
	/** How long the parser took. */
	readonly compiledUs: bigint
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

/** What YDB calls the writes. Only the name of UPSERT is known from a real message. */
function operationOf(statement: Statement): string | undefined {
	switch (statement.kind) {
		case 'write':
			return { UPSERT: 'Upsert', REPLACE: 'Replace', INSERT: 'InsertAbort' }[statement.mode]
		case 'update':
			return 'Update'
		case 'updateOn':
			return 'UpdateOn'
		case 'delete':
			return 'Delete'
		case 'deleteOn':
			return 'DeleteOn'
		default:
			return undefined
	}
}

/** Refuses statements that the call or the transaction does not allow. */
function checkKinds(statements: readonly Statement[], only: Query['only'], readOnly: boolean): void {
	if (only === 'data' && statements.some(isScheme))
		throw new YdbError('PRECONDITION_FAILED', 'Scheme operations cannot be executed inside transaction')
	if (only === 'scheme' && statements.some((each) => each.kind === 'select' || operationOf(each)))
		throw new YdbError('GENERIC_ERROR', "Data operations can't be performed in a scheme query", 2008)
	for (const statement of readOnly ? statements : []) {
		const operation = operationOf(statement)
		if (!operation) continue
		const { at } = statement
		throw new YdbError('GENERIC_ERROR', `Operation '${operation}' can't be performed in read only transaction`, 2008, {
			at,
		})
	}
}

/** Microseconds since some moment. */
export function microseconds(): bigint {
	return process.hrtime.bigint() / 1000n
}

function transactionOf(
	{ tree, sessions }: Surroundings,
	{ control, session }: Query,
): { id: string; transaction: Transaction } {
	if (control.kind === 'implicit') return { id: '', transaction: new Transaction(tree) }
	if (control.kind === 'begin' && control.commit)
		return { id: '', transaction: new Transaction(tree, control.readOnly) }
	if (!session) throw new YdbError('BAD_REQUEST', 'a transaction needs a session')
	const id = control.kind === 'known' ? control.id : sessions.begin(session, control.readOnly)
	return { id, transaction: sessions.transaction(session, id) }
}

/** Runs a query: all of its writes, or none. Everything that it changed is on the disk when it returns. */
export async function execute(around: Surroundings, query: Query): Promise<Outcome> {
	const { tree, sessions, changes, version } = around
	const { session, control, user, dry = false } = query
	around.heard?.(query.text)
	const { id, transaction } = dry ? { id: '', transaction: new Transaction(tree) } : transactionOf(around, query)
	try {
		const start = microseconds()
		const statements = parse(query.text)
		const compiledUs = microseconds() - start
		checkKinds(statements, query.only, transaction.readOnly)
		around.access?.checkQuery(statements, user)
		const scope = new QueryScope(tree, transaction, query.parameters, {
			now: BigInt(around.now()) * 1000n,
			version,
			dry,
		})
		const results = run(statements, {
			scope,
			inTransaction: control.kind !== 'implicit',
			change: ({ method, request }) => {
				if (!dry) changes.scheme(method, request, user)
			},
		})
		const { accesses } = scope
		if (dry) return { results: [], transactionId: '', accesses, compiledUs }
		const commits = control.kind === 'implicit' || control.commit
		if (commits) {
			if (id) session!.transactions.delete(id)
			changes.rows(transaction.commit(sessions.transactions()))
		}
		await changes.kept()
		return { results, transactionId: commits ? '' : id, accesses, compiledUs }
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
