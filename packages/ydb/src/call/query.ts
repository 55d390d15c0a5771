import { ExecMode, QueryServiceDefinition, Syntax } from '@ydbjs/api/query'
import type { TypedValue, Value } from '@ydbjs/api/value'
import type { Driver } from '@ydbjs/core'
import { type CallOptions, interruption } from '@ydbackup/core'
import { callError, refusalError, SUCCESS } from './failure.ts'
import { patiently } from './patience.ts'

export interface QueryOptions extends CallOptions {
	/** What the statement does, for messages. */
	readonly doing: string
	readonly parameters?: Record<string, TypedValue>
	/** Longest time of one try, in milliseconds. */
	readonly limitMs?: number
	readonly budgetMs?: number
}

/** Rows of the first result set, as messages: for small results only. */
export async function query(driver: Driver, text: string, options: QueryOptions): Promise<Value[]> {
	const { doing, signal, parameters = {}, limitMs = 600_000, budgetMs } = options
	return patiently({ doing, signal, ...(budgetMs !== undefined && { budgetMs }) }, () =>
		withSession(driver, doing, signal, async (sessionId) => {
			const client = driver.createClient(QueryServiceDefinition)
			const bound = AbortSignal.any([AbortSignal.timeout(limitMs), ...(signal ? [signal] : [])])
			const rows: Value[] = []
			const request = {
				sessionId,
				execMode: ExecMode.EXECUTE,
				query: { case: 'queryContent' as const, value: { syntax: Syntax.YQL_V1, text } },
				parameters,
			}
			for await (const part of client.executeQuery(request, { signal: bound })) {
				if (part.status !== SUCCESS) throw refusalError({ status: part.status, issues: part.issues }, doing)
				if (part.resultSetIndex === 0n && part.resultSet) rows.push(...part.resultSet.rows)
			}
			return rows
		}),
	)
}

/** A session for one statement: created, attached, used, deleted. Every step is bounded. */
async function withSession<T>(
	driver: Driver,
	doing: string,
	signal: AbortSignal | undefined,
	work: (sessionId: string) => Promise<T>,
): Promise<T> {
	const client = driver.createClient(QueryServiceDefinition)
	const bound = (): AbortSignal => AbortSignal.any([AbortSignal.timeout(15_000), ...(signal ? [signal] : [])])
	const created = await client.createSession({}, { signal: bound() })
	if (created.status !== SUCCESS) throw refusalError({ status: created.status, issues: created.issues }, doing)
	const { sessionId } = created
	const detach = new AbortController()
	const attached = client.attachSession({ sessionId }, { signal: detach.signal })[Symbol.asyncIterator]()
	try {
		const first = await Promise.race([
			attached.next(),
			new Promise<never>((_, reject) =>
				bound().addEventListener(
					'abort',
					() =>
						reject(
							signal?.aborted
								? interruption(signal, doing)
								: callError(new DOMException('no session', 'TimeoutError'), doing),
						),
					{ once: true },
				),
			),
		])
		const state = first.value
		if (state && state.status !== SUCCESS) throw refusalError({ status: state.status, issues: state.issues }, doing)
		return await work(sessionId)
	} finally {
		await client.deleteSession({ sessionId }, { signal: AbortSignal.timeout(5_000) }).catch(() => {})
		detach.abort()
		await attached.next().catch(() => {})
	}
}

/** A path between backticks, as YQL wants it. Source: YDB's documentation, lexical structure. */
export function quotePath(path: string): string {
	return `\`${path.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}
