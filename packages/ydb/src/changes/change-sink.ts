import type { Driver } from '@ydbjs/core'
import type { CallOptions, ChangeSink, TableSchema } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { QUERY_ISSUES, refusalError, SUCCESS } from '../call/failure.ts'
import { patiently } from '../call/patience.ts'
import { query } from '../call/query.ts'
import { withSession } from '../call/session.ts'
import { RawQueryService } from '../rows/raw-service.ts'
import { describeTable, snapshotTableOf } from '../scheme/table-description.ts'
import type { SinkContext } from '../sink.ts'
import { rowsRequests } from '../write/requests.ts'
import { adaptStatement } from './adapt.ts'
import { type ChangeStatement, changeStatements } from './statements.ts'

const CALL_MS = 120_000
const BUDGET_MS = 600_000

/** Applies links to live tables. What a table looks like is read once and again after every change of its columns. */
export function createChangeSink({ control, database, data }: SinkContext): ChangeSink {
	const absolute = (path: string): string => `${database}/${path}`
	const known = new Map<string, TableSchema>()

	async function schemaOf(path: string, options: CallOptions | undefined): Promise<TableSchema> {
		const found = known.get(path)
		if (found) return found
		const live = await describeTable(control, absolute(path), options)
		const { schema } = snapshotTableOf(path, live, live)
		known.set(path, schema)
		return schema
	}

	async function run(driver: Driver, path: string, statement: ChangeStatement, signal?: AbortSignal): Promise<void> {
		const doing = `apply ${statement.rows} changes to table ${absolute(path)}`
		const client = driver.createClient(RawQueryService)
		const request = rowsRequests(statement.text, statement.columns)
		await patiently({ doing, signal, budgetMs: BUDGET_MS }, () =>
			withSession(driver, doing, signal, (sessionId) =>
				bounded(signal, CALL_MS, async (bound) => {
					for await (const part of client.executeQuery(request(statement.rowFrames, sessionId), { signal: bound }))
						if (part.status !== SUCCESS)
							throw refusalError({ status: part.status, issues: part.issues }, doing, QUERY_ISSUES)
				}),
			),
		)
	}

	return {
		async adaptTable(path, schema, options) {
			const missing = async (): Promise<string | undefined> => {
				known.delete(path)
				return adaptStatement(absolute(path), await schemaOf(path, options), schema)
			}
			const text = await missing()
			if (text === undefined) return
			const isDone = async (): Promise<boolean> => (await missing()) === undefined
			await query(control, text, { doing: `alter table ${absolute(path)}`, signal: options?.signal, isDone })
			known.delete(path)
		},

		async apply(path, _schema, changes, { signal } = {}) {
			const live = await schemaOf(path, { signal })
			const { driver } = await data(signal)
			for (const statement of changeStatements(absolute(path), live, changes))
				await run(driver, path, statement, signal)
		},
	}
}
