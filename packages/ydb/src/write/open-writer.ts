import type { DescribeTableResult } from '@ydbjs/api/table'
import type { Driver } from '@ydbjs/core'
import { BackupError, type OpenWriterOptions, type TableSchema, type TableWriter } from '@ydbackup/core'
import { releaseBytes } from '@ydbackup/rows'
import { bounded } from '../call/bounded.ts'
import { QUERY_ISSUES, refusalError, SUCCESS } from '../call/failure.ts'
import { mustSucceed } from '../call/operation.ts'
import { withSession } from '../call/session.ts'
import { RawQueryService, RawTableService } from '../rows/raw-service.ts'
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
			async (chunk, signal) => {
				const bytes = request(chunk)
				mustSucceed(await bounded(signal, CALL_MS, (bound) => client.bulkUpsert(bytes, { signal: bound })), doing)
				// Only now: of a call that has failed nobody knows whether it still holds them.
				releaseBytes(bytes)
			},
			options,
		)
	}
	const client = driver.createClient(RawQueryService)
	const request = statementRequests(path, schema)
	return windowWriter(
		path,
		(chunk, signal) =>
			withSession(driver, doing, signal, (sessionId) =>
				bounded(signal, CALL_MS, async (bound) => {
					for await (const part of client.executeQuery(request(chunk, sessionId), { signal: bound }))
						if (part.status !== SUCCESS)
							throw refusalError({ status: part.status, issues: part.issues }, doing, QUERY_ISSUES)
				}),
			),
		options,
	)
}
