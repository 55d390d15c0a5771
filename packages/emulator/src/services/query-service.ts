import { setTimeout as sleep } from 'node:timers/promises'
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
	AttachSessionRequestSchema,
	BeginTransactionRequestSchema,
	BeginTransactionResponseSchema,
	CommitTransactionRequestSchema,
	CommitTransactionResponseSchema,
	CreateSessionResponseSchema,
	DeleteSessionRequestSchema,
	DeleteSessionResponseSchema,
	ExecMode,
	ExecuteQueryRequestSchema,
	ExecuteQueryResponsePartSchema,
	QueryServiceDefinition as Service,
	RollbackTransactionRequestSchema,
	RollbackTransactionResponseSchema,
	SessionStateSchema,
	StatsMode,
	Syntax,
	type TransactionControl,
} from '@ydbjs/api/query'
import { ResultSetSchema } from '@ydbjs/api/value'
import { GRPC, GrpcError, STATUS, YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import type { Call, Reply } from '../transport/grpc-server.ts'
import { parse } from '../yql/parser.ts'
import type { Chunk, Selected } from '../yql/select.ts'
import { framed } from '../yql/datum.ts'
import { asYdbError } from './envelope.ts'
import { columnsOf, type Control, execute, microseconds, parametersOf, type Surroundings } from './execute.ts'
import { queryStats, type StatsLevel } from './query-stats.ts'

const PART_BYTES = 1 << 20
const PART_ROWS = 1000
const PARAMETERS = 0x32

type Method = (around: Surroundings, call: Call, user: string) => Promise<void>

/** Responses of this service carry status and issues themselves. */
function unary<D extends DescMessage>(
	schema: D,
	work: (around: Surroundings, request: Buffer) => MessageInitShape<D> | Promise<MessageInitShape<D>>,
): Method {
	return async (around, { request, reply }) => {
		let response: object
		try {
			response = { status: STATUS.SUCCESS, ...(await work(around, request)) }
		} catch (thrown) {
			const error = asYdbError(thrown)
			response = { status: STATUS[error.status], issues: error.issues() }
		}
		await reply.send(toBinary(schema, create(schema, response as MessageInitShape<D>)))
	}
}

/** As YDB's messages name it. */
function modeName(mode: string): string {
	return mode[0]!.toUpperCase() + mode.slice(1)
}

function controlOf(control: TransactionControl | undefined): Control {
	if (!control) return { kind: 'implicit' }
	const { txSelector, commitTx } = control
	if (txSelector.case === 'txId') return { kind: 'known', id: txSelector.value, commit: commitTx }
	if (txSelector.case !== 'beginTx') throw new YdbError('BAD_REQUEST', 'Empty tx_control')
	const mode = txSelector.value.txMode.case
	const readOnly = mode !== undefined && mode !== 'serializableReadWrite'
	if (readOnly && mode !== 'snapshotReadOnly' && !commitTx)
		throw new YdbError(
			'BAD_REQUEST',
			`Failed to execute query: open transactions not supported for transaction mode: ${modeName(mode)}, use commit_tx flag to explicitely commit transaction.`,
		)
	return { kind: 'begin', commit: commitTx, readOnly }
}

async function executeQuery(around: Surroundings, call: Call, user: string): Promise<void> {
	const { request, reply } = call
	const start = microseconds()
	const message = fromBinary(ExecuteQueryRequestSchema, request)
	const { sessionId, execMode, query, txControl, statsMode } = message
	const session = sessionId === '' ? undefined : around.sessions.get(sessionId)
	if (query.case !== 'queryContent') throw new YdbError('BAD_REQUEST', 'Unexpected query option')
	const { text, syntax } = query.value
	if (syntax === Syntax.PG) throw new YdbError('UNSUPPORTED', 'PostgreSQL syntax is not emulated')
	if (execMode === ExecMode.UNSPECIFIED) throw new YdbError('BAD_REQUEST', 'Unexpected query mode')
	if (execMode === ExecMode.PARSE) {
		parse(text)
		return sendPart(reply, { status: STATUS.SUCCESS })
	}
	const dry = execMode === ExecMode.EXPLAIN || execMode === ExecMode.VALIDATE
	await around.sessions.exclusively(session, async () => {
		const control: Control = dry ? { kind: 'implicit' } : controlOf(txControl)
		const parameters = parametersOf(request, PARAMETERS)
		const outcome = await execute(around, { text, parameters, control, session, user, dry })
		const { results, transactionId } = outcome
		const txMeta = txControl && !dry ? { txMeta: { id: transactionId } } : {}
		const limits = {
			bytes: Number(message.responsePartLimitBytes) || PART_BYTES,
			rows: around.faults.queryPartRows ?? PART_ROWS,
		}
		for (const [index, result] of results.entries())
			await sendResult(reply, index, result, limits, around.faults, index === 0 ? txMeta : {})
		const level = dry ? (execMode === ExecMode.EXPLAIN ? 'plan' : 'none') : STATS_LEVELS[statsMode]
		const execStats = queryStats(outcome, level ?? 'none', text, start)
		if (results.length === 0 || execStats)
			await sendPart(reply, { status: STATUS.SUCCESS, ...txMeta, ...(execStats && { execStats }) })
	})
}

const STATS_LEVELS: Partial<Record<StatsMode, StatsLevel>> = {
	[StatsMode.BASIC]: 'basic',
	[StatsMode.FULL]: 'full',
	[StatsMode.PROFILE]: 'full',
}

type PartInit = MessageInitShape<typeof ExecuteQueryResponsePartSchema>

async function sendPart(
	reply: Reply,
	part: PartInit,
	resultSet?: Uint8Array,
	rows: readonly Buffer[] = [],
): Promise<void> {
	const head = toBinary(ExecuteQueryResponsePartSchema, create(ExecuteQueryResponsePartSchema, part))
	if (!resultSet) return reply.send(head)
	// result_set = 4, with the columns and then the rows as they are.
	await reply.send(Buffer.concat([head, framed(0x22, [Buffer.concat([resultSet, ...rows])])]))
}

async function sendResult(
	reply: Reply,
	index: number,
	result: Selected,
	limits: { readonly bytes: number; readonly rows: number },
	faults: Faults,
	more: Partial<PartInit>,
): Promise<void> {
	const about = (truncated: boolean): Uint8Array =>
		toBinary(ResultSetSchema, create(ResultSetSchema, { columns: columnsOf(result), truncated }))
	let part: Buffer[] = []
	let bytes = 0
	let count = 0
	let sent = 0
	let total = 0
	const flush = async (truncated = false): Promise<void> => {
		if (faults.delayQueryMs > 0) await sleep(faults.delayQueryMs)
		if (faults.breakQueryTimes > 0 && sent === faults.breakQueryAfterParts) {
			faults.breakQueryTimes--
			throw new GrpcError(GRPC.UNAVAILABLE, 'the stream broke (a fault that was asked for)')
		}
		const init = { status: STATUS.SUCCESS, resultSetIndex: BigInt(index), ...(sent === 0 && more) } as PartInit
		await sendPart(reply, init, about(truncated), part)
		sent++
		part = []
		bytes = 0
		count = 0
	}
	for (const chunk of result.chunks() as Iterable<Chunk>) {
		if (count > 0 && (bytes + chunk.rows.length > limits.bytes || count + chunk.count > limits.rows)) await flush()
		part.push(chunk.rows)
		bytes += chunk.rows.length
		count += chunk.count
		total += chunk.count
		if (faults.cutQueryRows !== undefined && total >= faults.cutQueryRows) return flush(true)
	}
	if (count > 0 || sent === 0) await flush()
}

async function attach(around: Surroundings, { request, reply }: Call): Promise<void> {
	const session = around.sessions.get(fromBinary(AttachSessionRequestSchema, request).sessionId)
	if (session.attached) throw new YdbError('SESSION_BUSY', 'the session is attached already')
	session.attached = true
	await reply.send(toBinary(SessionStateSchema, create(SessionStateSchema, { status: STATUS.SUCCESS })))
	const over = AbortSignal.any([session.ended, reply.closed])
	if (!over.aborted)
		await new Promise<void>((resolve) => over.addEventListener('abort', () => resolve(), { once: true }))
	// Who leaves the stream leaves the session.
	around.sessions.abandon(session)
}

/** A stream whose first message tells of a failure. */
function stream<D extends DescMessage>(schema: D, work: Method): Method {
	return async (around, call, user) => {
		try {
			await work(around, call, user)
		} catch (thrown) {
			if (call.reply.closed.aborted || thrown instanceof GrpcError) throw thrown
			const error = asYdbError(thrown)
			const response = { status: STATUS[error.status], issues: error.issues() } as unknown
			await call.reply.send(toBinary(schema, create(schema, response as MessageInitShape<D>)))
		}
	}
}

export const queryMethods: ReadonlyMap<string, Method> = new Map<string, Method>([
	[
		Service.createSession.path,
		unary(CreateSessionResponseSchema, ({ sessions, nodeId }) => ({
			sessionId: sessions.create(nodeId).id,
			nodeId: BigInt(nodeId),
		})),
	],
	[
		Service.deleteSession.path,
		unary(DeleteSessionResponseSchema, ({ sessions }, request) => {
			sessions.delete(fromBinary(DeleteSessionRequestSchema, request).sessionId)
			return {}
		}),
	],
	[Service.attachSession.path, stream(SessionStateSchema, attach)],
	[Service.executeQuery.path, stream(ExecuteQueryResponsePartSchema, executeQuery)],
	[
		Service.beginTransaction.path,
		unary(BeginTransactionResponseSchema, ({ sessions }, request) => {
			const { sessionId, txSettings } = fromBinary(BeginTransactionRequestSchema, request)
			const mode = txSettings?.txMode.case ?? 'serializableReadWrite'
			if (mode !== 'serializableReadWrite' && mode !== 'snapshotReadOnly')
				throw new YdbError(
					'BAD_REQUEST',
					`Failed to begin transaction: open transactions not supported for transaction mode ${modeName(mode)}, use tx_control field in ExecuteDataQueryRequest to begin transaction with this mode.`,
				)
			return { txMeta: { id: sessions.begin(sessions.get(sessionId), mode === 'snapshotReadOnly') } }
		}),
	],
	[
		Service.commitTransaction.path,
		unary(CommitTransactionResponseSchema, async ({ sessions, changes }, request) => {
			const { sessionId, txId } = fromBinary(CommitTransactionRequestSchema, request)
			const session = sessions.get(sessionId)
			const transaction = sessions.transaction(session, txId)
			session.transactions.delete(txId)
			changes.rows(transaction.commit(sessions.transactions()))
			await changes.kept()
			return {}
		}),
	],
	[
		Service.rollbackTransaction.path,
		unary(RollbackTransactionResponseSchema, ({ sessions }, request) => {
			const { sessionId, txId } = fromBinary(RollbackTransactionRequestSchema, request)
			const session = sessions.get(sessionId)
			sessions.transaction(session, txId)
			session.transactions.delete(txId)
			return {}
		}),
	],
])
