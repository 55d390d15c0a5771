import type { DescribeTableResult } from '@ydbjs/api/table'
import { QueryServiceDefinition } from '@ydbjs/api/query'
import type { Driver } from '@ydbjs/core'
import { BackupError, type OpenWriterOptions, type TableSchema, type TableWriter } from '@ydbackup/core'
import { refusalError, SUCCESS } from '../call/failure.ts'
import { mustSucceed } from '../call/operation.ts'
import { RawQueryService, RawTableService } from '../rows/raw-service.ts'
import { within } from '../scheme/walk.ts'
import { bulkRequests, statementRequests } from './requests.ts'
import { windowWriter } from './table-writer.ts'

const CALL_MS = 120_000

/** Whether the server takes bulk writes for a table: not when an index must follow at once. Source: YDB's documentation of BulkUpsert. */
export function allowsBulk({ indexes }: Pick<DescribeTableResult, 'indexes'>): boolean {
	return indexes.every(({ type }) => type.case === 'globalAsyncIndex')
}

function checkColumns(path: string, schema: TableSchema, live: DescribeTableResult): void {
	const given = new Set(schema.columns.map(({ name }) => name))
	const missing = live.columns.filter(
		({ name, notNull, defaultValue }) => (notNull || defaultValue.case !== undefined) && !given.has(name),
	)
	if (missing.length > 0)
		throw new BackupError(
			'DATABASE_REFUSED',
			`table ${path} has columns that must have values and that the rows do not have: ${missing.map(({ name }) => name).join(', ')}`,
			{
				advice: 'restore to another path',
			},
		)
	const known = new Set(live.columns.map(({ name }) => name))
	const unknown = schema.columns.filter(({ name }) => !known.has(name))
	if (unknown.length > 0)
		throw new BackupError(
			'DATABASE_REFUSED',
			`table ${path} lacks columns of the rows: ${unknown.map(({ name }) => name).join(', ')}`,
			{ advice: 'restore to another path' },
		)
}

/** A writer by the way that the table allows: bulk writes, or statements where an index must follow. */
export function openTableWriter(
	driver: Driver,
	path: string,
	schema: TableSchema,
	live: DescribeTableResult,
	options: OpenWriterOptions,
): TableWriter {
	checkColumns(path, schema, live)
	const doing = `write to table ${path}`
	if (allowsBulk(live)) {
		const client = driver.createClient(RawTableService)
		const request = bulkRequests(path, schema)
		return windowWriter(
			path,
			async (chunk, signal) =>
				void mustSucceed(await client.bulkUpsert(request(chunk), { signal: within(signal, CALL_MS) }), doing),
			options,
		)
	}
	const client = driver.createClient(RawQueryService)
	const sessions = driver.createClient({
		createSession: QueryServiceDefinition.createSession,
		deleteSession: QueryServiceDefinition.deleteSession,
		attachSession: QueryServiceDefinition.attachSession,
	} as const)
	const request = statementRequests(path, schema)
	return windowWriter(
		path,
		async (chunk, signal) => {
			const created = await sessions.createSession({}, { signal: within(signal, 15_000) })
			if (created.status !== SUCCESS) throw refusalError({ status: created.status, issues: created.issues }, doing)
			const { sessionId } = created
			const detach = new AbortController()
			const attached = sessions.attachSession({ sessionId }, { signal: detach.signal })[Symbol.asyncIterator]()
			try {
				await attached.next()
				for await (const part of client.executeQuery(request(chunk, sessionId), { signal: within(signal, CALL_MS) }))
					if (part.status !== SUCCESS) throw refusalError({ status: part.status, issues: part.issues }, doing)
			} finally {
				await sessions.deleteSession({ sessionId }, { signal: AbortSignal.timeout(5_000) }).catch(() => {})
				detach.abort()
				await attached.next().catch(() => {})
			}
		},
		options,
	)
}
