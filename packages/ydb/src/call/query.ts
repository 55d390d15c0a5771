import { ExecMode, QueryServiceDefinition, Syntax } from '@ydbjs/api/query'
import type { TypedValue, Value } from '@ydbjs/api/value'
import type { Driver } from '@ydbjs/core'
import { type CallOptions, type ErrorCode, interruption, isBackupError } from '@ydbackup/core'
import { bounded } from './bounded.ts'
import { callError, QUERY_ISSUES, refusalError, SUCCESS } from './failure.ts'
import { Patience, patiently } from './patience.ts'
import { withSession } from './session.ts'
import { type IsDone, settle } from './settle.ts'

export interface QueryOptions extends CallOptions {
	/** What the statement does, for messages. */
	readonly doing: string
	readonly parameters?: Record<string, TypedValue>
	/** Longest time of one try, in milliseconds. */
	readonly limitMs?: number
	readonly budgetMs?: number
	/** Looks whether a statement that cannot be carried out twice was carried out when its answer was lost. */
	readonly isDone?: IsDone
	/** What codes of issues mean in its answer; those of data by default. */
	readonly meanings?: Readonly<Record<number, ErrorCode>>
}

/** Answers after which the statement was not carried out. Source: YDB's documentation, error handling: those that may be tried again whatever the statement is. */
const NOT_DONE = new Set(['ABORTED', 'UNAVAILABLE', 'OVERLOADED', 'BAD_SESSION', 'SESSION_BUSY'])

/** Rows of the first result set, as messages: for small results only. */
export async function query(driver: Driver, text: string, options: QueryOptions): Promise<Value[]> {
	const { doing, signal, budgetMs, isDone } = options
	const patience = { doing, signal, ...(budgetMs !== undefined && { budgetMs }) }
	const send = (): Promise<Value[]> => attempt(driver, text, options)
	if (isDone === undefined) return patiently(patience, send)
	return (await settle(patience, send, isDone)) ?? []
}

/** The same for statements that may not be carried out twice: tried again only where it is sure that nothing was done. */
export async function queryOnce(driver: Driver, text: string, options: QueryOptions): Promise<Value[]> {
	const { doing, signal, budgetMs } = options
	const patience = new Patience({ doing, signal, ...(budgetMs !== undefined && { budgetMs }) })
	for (;;) {
		let isSent = false
		try {
			return await attempt(driver, text, options, () => (isSent = true))
		} catch (error) {
			const isNotDone = isBackupError(error) && error.reason !== undefined && NOT_DONE.has(error.reason)
			if (isSent && !isNotDone) throw error
			await patience.failed(error)
		}
	}
}

async function attempt(
	driver: Driver,
	text: string,
	{ doing, signal, parameters = {}, limitMs = 600_000, meanings = QUERY_ISSUES }: QueryOptions,
	onSend?: () => void,
): Promise<Value[]> {
	try {
		return await withSession(driver, doing, signal, (sessionId) =>
			bounded(signal, limitMs, async (bound) => {
				const client = driver.createClient(QueryServiceDefinition)
				const rows: Value[] = []
				const request = {
					sessionId,
					execMode: ExecMode.EXECUTE,
					query: { case: 'queryContent' as const, value: { syntax: Syntax.YQL_V1, text } },
					parameters,
				}
				onSend?.()
				for await (const part of client.executeQuery(request, { signal: bound })) {
					if (part.status !== SUCCESS) throw refusalError({ status: part.status, issues: part.issues }, doing, meanings)
					if (part.resultSetIndex === 0n && part.resultSet) rows.push(...part.resultSet.rows)
				}
				return rows
			}),
		)
	} catch (error) {
		throw signal?.aborted === true ? interruption(signal, doing) : callError(error, doing)
	}
}

/** A path between backticks, as YQL wants it. Source: YDB's documentation, lexical structure. */
export function quotePath(path: string): string {
	return `\`${path.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}
