import { ExecMode, QueryServiceDefinition, Syntax } from '@ydbjs/api/query'
import type { TypedValue, Value } from '@ydbjs/api/value'
import type { Driver } from '@ydbjs/core'
import type { CallOptions } from '@ydbackup/core'
import { bounded } from './bounded.ts'
import { QUERY_ISSUES, refusalError, SUCCESS } from './failure.ts'
import { patiently } from './patience.ts'
import { withSession } from './session.ts'

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
		withSession(driver, doing, signal, (sessionId) =>
			bounded(signal, limitMs, async (bound) => {
				const client = driver.createClient(QueryServiceDefinition)
				const rows: Value[] = []
				const request = {
					sessionId,
					execMode: ExecMode.EXECUTE,
					query: { case: 'queryContent' as const, value: { syntax: Syntax.YQL_V1, text } },
					parameters,
				}
				for await (const part of client.executeQuery(request, { signal: bound })) {
					if (part.status !== SUCCESS)
						throw refusalError({ status: part.status, issues: part.issues }, doing, QUERY_ISSUES)
					if (part.resultSetIndex === 0n && part.resultSet) rows.push(...part.resultSet.rows)
				}
				return rows
			}),
		),
	)
}

/** A path between backticks, as YQL wants it. Source: YDB's documentation, lexical structure. */
export function quotePath(path: string): string {
	return `\`${path.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}
