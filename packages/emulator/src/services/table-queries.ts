// Sessions, transactions and queries of the table service.
import { create, fromBinary } from '@bufbuild/protobuf'
import type { Operation } from '@ydbjs/api/operation'
import {
	BeginTransactionRequestSchema,
	BeginTransactionResultSchema,
	CommitTransactionRequestSchema,
	CommitTransactionResultSchema,
	CreateSessionResultSchema,
	DeleteSessionRequestSchema,
	ExecuteDataQueryRequestSchema,
	ExecuteQueryResultSchema,
	ExecuteSchemeQueryRequestSchema,
	ExplainDataQueryRequestSchema,
	ExplainQueryResultSchema,
	KeepAliveRequestSchema,
	KeepAliveResultSchema,
	KeepAliveResult_SessionStatus,
	PrepareDataQueryRequestSchema,
	PrepareQueryResultSchema,
	QueryStatsCollection_Mode as StatsMode,
	RollbackTransactionRequestSchema,
	TableServiceDefinition as Service,
	type TransactionControl,
	type TransactionSettings,
} from '@ydbjs/api/table'
import { type ResultSet, ResultSetSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import { LIMITS } from '../limits.ts'
import { parse } from '../yql/parser.ts'
import type { Selected } from '../yql/select.ts'
import { toProto } from '../yql/types.ts'
import { success } from './envelope.ts'
import { columnsOf, type Control, execute, microseconds, parametersOf, type Surroundings } from './execute.ts'
import { queryAst, queryPlan, queryStats, type StatsLevel } from './query-stats.ts'

type Method = (around: Surroundings, request: Buffer, user: string) => Operation | Promise<Operation>

const MOST_ROWS = LIMITS.resultRows.value
const PARAMETERS = 0x22

type Mode = TransactionSettings['txMode']['case']

function isReadOnly(mode: Mode): boolean {
	return mode !== undefined && mode !== 'serializableReadWrite'
}

/** A transaction over several calls needs a state of the database to stay with. */
function mayStayOpen(mode: Mode): boolean {
	return !isReadOnly(mode) || mode === 'snapshotReadOnly'
}

/** As YDB's messages name it. */
function modeName(mode: Mode): string {
	return mode ? mode[0]!.toUpperCase() + mode.slice(1) : ''
}

function controlOf(control: TransactionControl | undefined): Control {
	if (!control?.txSelector.case) throw new YdbError('BAD_REQUEST', 'Empty tx_control')
	const { txSelector, commitTx } = control
	if (txSelector.case === 'txId') return { kind: 'known', id: txSelector.value, commit: commitTx }
	const mode = txSelector.value.txMode.case
	if (!mayStayOpen(mode) && !commitTx)
		throw new YdbError(
			'BAD_REQUEST',
			`Failed to execute query: open transactions not supported for transaction mode: ${modeName(mode)}, use commit_tx flag to explicitely commit transaction.`,
		)
	return { kind: 'begin', commit: commitTx, readOnly: isReadOnly(mode) }
}

function resultSet(result: Selected): ResultSet {
	const rows: Buffer[] = []
	let count = 0
	for (const chunk of result.chunks()) {
		rows.push(chunk.rows)
		count += chunk.count
		if (count > MOST_ROWS) break
	}
	const set = fromBinary(ResultSetSchema, Buffer.concat(rows))
	const truncated = set.rows.length > MOST_ROWS
	return create(ResultSetSchema, { columns: columnsOf(result), rows: set.rows.slice(0, MOST_ROWS), truncated })
}

const STATS_LEVELS: Partial<Record<StatsMode, StatsLevel>> = {
	[StatsMode.STATS_COLLECTION_BASIC]: 'basic',
	[StatsMode.STATS_COLLECTION_FULL]: 'full',
	[StatsMode.STATS_COLLECTION_PROFILE]: 'full',
}

/** The text of a prepared query is its id: what is prepared needs no memory. */
const PREPARED = /^ydb:\/\/preparedqueryid\/4\?text=([A-Za-z0-9_-]*)$/

async function executeDataQuery(around: Surroundings, request: Buffer, user: string): Promise<Operation> {
	const start = microseconds()
	const { sessionId, txControl, query, collectStats } = fromBinary(ExecuteDataQueryRequestSchema, request)
	const session = around.sessions.get(sessionId)
	let text: string
	if (query?.query.case === 'yqlText') text = query.query.value
	else {
		const found = PREPARED.exec(query?.query.case === 'id' ? query.query.value : '')
		if (!found) throw new YdbError('NOT_FOUND', 'Prepared query not found')
		text = Buffer.from(found[1]!, 'base64url').toString()
	}
	return around.sessions.exclusively(session, async () => {
		const outcome = await execute(around, {
			text,
			parameters: parametersOf(request, PARAMETERS),
			control: controlOf(txControl),
			session,
			user,
			only: 'data',
		})
		const resultSets = outcome.results.map(resultSet)
		const stats = queryStats(outcome, STATS_LEVELS[collectStats] ?? 'none', text, start)
		return success(
			ExecuteQueryResultSchema,
			create(ExecuteQueryResultSchema, {
				resultSets,
				txMeta: { id: outcome.transactionId },
				...(stats && { queryStats: stats }),
			}),
		)
	})
}

async function executeSchemeQuery(around: Surroundings, request: Buffer, user: string): Promise<Operation> {
	const { sessionId, yqlText } = fromBinary(ExecuteSchemeQueryRequestSchema, request)
	const session = around.sessions.get(sessionId)
	await around.sessions.exclusively(session, () =>
		execute(around, {
			text: yqlText,
			parameters: new Map(),
			control: { kind: 'implicit' },
			session,
			user,
			only: 'scheme',
		}),
	)
	return success()
}

export const tableQueryMethods: ReadonlyMap<string, Method> = new Map<string, Method>([
	[
		Service.createSession.path,
		({ sessions, nodeId }) =>
			success(CreateSessionResultSchema, create(CreateSessionResultSchema, { sessionId: sessions.create(nodeId).id })),
	],
	[
		Service.deleteSession.path,
		({ sessions }, request) => {
			sessions.delete(fromBinary(DeleteSessionRequestSchema, request).sessionId)
			return success()
		},
	],
	[
		Service.keepAlive.path,
		({ sessions }, request) => {
			const { busy } = sessions.get(fromBinary(KeepAliveRequestSchema, request).sessionId)
			const { READY, BUSY } = KeepAliveResult_SessionStatus
			return success(KeepAliveResultSchema, create(KeepAliveResultSchema, { sessionStatus: busy ? BUSY : READY }))
		},
	],
	[Service.executeDataQuery.path, executeDataQuery],
	[Service.executeSchemeQuery.path, executeSchemeQuery],
	[
		Service.explainDataQuery.path,
		async (around, request, user) => {
			const { sessionId, yqlText: text } = fromBinary(ExplainDataQueryRequestSchema, request)
			const session = around.sessions.get(sessionId)
			const control: Control = { kind: 'implicit' }
			const query = { text, parameters: new Map(), control, session, user, only: 'data', dry: true } as const
			const outcome = await around.sessions.exclusively(session, () => execute(around, query))
			const result = { queryAst: queryAst(text), queryPlan: queryPlan(outcome.accesses) }
			return success(ExplainQueryResultSchema, create(ExplainQueryResultSchema, result))
		},
	],
	[
		Service.prepareDataQuery.path,
		({ sessions }, request) => {
			const { sessionId, yqlText } = fromBinary(PrepareDataQueryRequestSchema, request)
			sessions.get(sessionId)
			const declared = parse(yqlText).filter((statement) => statement.kind === 'declare')
			const parametersTypes = Object.fromEntries(declared.map(({ name, type }) => [name, toProto(type)]))
			const queryId = `ydb://preparedqueryid/4?text=${Buffer.from(yqlText).toString('base64url')}`
			return success(PrepareQueryResultSchema, create(PrepareQueryResultSchema, { queryId, parametersTypes }))
		},
	],
	[
		Service.beginTransaction.path,
		({ sessions }, request) => {
			const { sessionId, txSettings } = fromBinary(BeginTransactionRequestSchema, request)
			const mode = txSettings?.txMode.case
			if (!mayStayOpen(mode))
				throw new YdbError(
					'BAD_REQUEST',
					`Failed to begin transaction: open transactions not supported for transaction mode ${modeName(mode)}, use tx_control field in ExecuteDataQueryRequest to begin transaction with this mode.`,
				)
			const id = sessions.begin(sessions.get(sessionId), isReadOnly(mode))
			return success(BeginTransactionResultSchema, create(BeginTransactionResultSchema, { txMeta: { id } }))
		},
	],
	[
		Service.commitTransaction.path,
		async ({ sessions, changes }, request) => {
			const { sessionId, txId } = fromBinary(CommitTransactionRequestSchema, request)
			const session = sessions.get(sessionId)
			const transaction = sessions.transaction(session, txId)
			session.transactions.delete(txId)
			changes.rows(transaction.commit(sessions.transactions()))
			await changes.kept()
			return success(CommitTransactionResultSchema, create(CommitTransactionResultSchema))
		},
	],
	[
		Service.rollbackTransaction.path,
		({ sessions }, request) => {
			const { sessionId, txId } = fromBinary(RollbackTransactionRequestSchema, request)
			const session = sessions.get(sessionId)
			sessions.transaction(session, txId)
			session.transactions.delete(txId)
			return success()
		},
	],
])
