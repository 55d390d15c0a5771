import { create, fromBinary } from '@bufbuild/protobuf'
import { ExecMode, Syntax } from '@ydbjs/api/query'
import { type TypedValue, TypedValueSchema, TypeSchema, ValueSchema } from '@ydbjs/api/value'
import type { Driver } from '@ydbjs/core'
import {
	bareType,
	BackupError,
	isBackupError,
	type KeyBytes,
	type ReadRowsOptions,
	type RowChunk,
	spellType,
	type TableSchema,
	throwIfInterrupted,
} from '@ydbackup/core'
import { isNullable, keyColumns, typeToBytes } from '@ydbackup/rows'
import { callError } from '../call/failure.ts'
import { Patience } from '../call/patience.ts'
import { quotePath } from '../call/query.ts'
import { lostSnapshot, type QuerySnapshot } from '../snapshot/query-snapshot.ts'
import type { ByteBudget } from './byte-budget.ts'
import { RowQueryService } from './raw-service.ts'
import { queryPartOf } from './response.ts'
import { createRowTaker } from './take-checked.ts'

export interface QueryReader {
	readonly driver: Driver
	readonly budget: Pick<ByteBudget, 'take'>
	readonly snapshot: QuerySnapshot
	/** Absolute path. */
	readonly path: string
	readonly schema: TableSchema
}

/** Rows of one query: so many sorts on the server, and so much is asked for again when a stream breaks. */
const PAGE_ROWS = 50_000
const PART_BYTES = 256 << 10
/** What the connection holds of one stream before it is consumed. */
const STREAM_BYTES = 4 << 20
const IDLE_MS = 120_000

/**
 * All rows of a table in key order, as of the snapshot, page by page: each page begins behind the last row that was handed on, and an empty one
 * is the end, so that neither a limit of a result nor a stream that breaks can lose rows. Errors: `UNSUPPORTED` for a key that may hold NULL.
 */
export async function* readByQuery(reader: QueryReader, options: ReadRowsOptions = {}): AsyncGenerator<RowChunk> {
	const { path, schema, budget, snapshot } = reader
	const { signal, onRestart } = options
	const doing = `read column table ${path}`
	assertKeys(path, schema)
	const take = createRowTaker(path, schema, {})
	const patience = new Patience({ doing, signal, onRetry: onRestart })
	let last: KeyBytes | undefined
	let isDone = false
	while (!isDone) {
		throwIfInterrupted(signal, doing)
		let rows = 0
		let isTruncated = false
		const page = async function* (): AsyncGenerator<RowChunk> {
			using stop = idleLimit(signal)
			const release = await budget.take(STREAM_BYTES, signal)
			try {
				for await (const message of ask(reader, last, stop.signal)) {
					stop.pause()
					throwIfInterrupted(signal, doing)
					const part = queryPartOf(
						message,
						schema.columns.map(({ name }) => name),
						doing,
					)
					isTruncated ||= part?.isTruncated === true
					const chunk = part && take(message, part.resultSet, last)
					if (chunk) {
						last = chunk.lastKey
						rows += chunk.rows
						patience.reset()
						yield chunk
					}
					stop.goOn()
				}
			} finally {
				release()
			}
		}
		try {
			yield* snapshot.inTurn(page)
			isDone = rows === 0
			if (isTruncated && rows === 0)
				throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: the server cuts its answers before the first row`)
		} catch (error) {
			await patience.failed(lostSnapshot(isBackupError(error) ? error : callError(error, doing), doing))
		}
	}
}

function ask(
	{ driver, path, schema, snapshot }: QueryReader,
	last: KeyBytes | undefined,
	signal: AbortSignal,
): AsyncIterable<Uint8Array> {
	return driver.createClient(RowQueryService).executeQuery(
		{
			sessionId: snapshot.sessionId,
			execMode: ExecMode.EXECUTE,
			txControl: { txSelector: { case: 'txId', value: snapshot.txId }, commitTx: false },
			query: {
				case: 'queryContent',
				value: { syntax: Syntax.YQL_V1, text: pageQuery(path, schema, last !== undefined) },
			},
			parameters: last === undefined ? {} : keyParameters(schema, last),
			responsePartLimitBytes: BigInt(PART_BYTES),
		},
		{ signal },
	)
}

/** The text for a page. Source of comparing tuples for it: YDB's documentation of paging. */
export function pageQuery(path: string, schema: TableSchema, isBehind: boolean): string {
	const keys = keyColumns(schema).map((at) => schema.columns[at]!)
	const names = keys.map(({ name }) => quotePath(name))
	const tuple = (parts: readonly string[]): string => (parts.length === 1 ? parts[0]! : `(${parts.join(', ')})`)
	const declared = keys.map(({ type }, at) => `DECLARE $k${at} AS ${spellType(bareType(type))};\n`).join('')
	const where = ` WHERE ${tuple(names)} > ${tuple(keys.map((_, at) => `$k${at}`))}`
	return `${isBehind ? declared : ''}SELECT ${schema.columns.map(({ name }) => quotePath(name)).join(', ')} FROM ${quotePath(path)}${
		isBehind ? where : ''
	} ORDER BY ${names.join(', ')} LIMIT ${PAGE_ROWS};`
}

function keyParameters(schema: TableSchema, key: KeyBytes): Record<string, TypedValue> {
	const { items } = fromBinary(ValueSchema, key)
	return Object.fromEntries(
		keyColumns(schema).map((column, at) => {
			const type = fromBinary(TypeSchema, typeToBytes(bareType(schema.columns[column]!.type)))
			return [`$k${at}`, create(TypedValueSchema, { type, ...(items[at] && { value: items[at] }) })]
		}),
	)
}

function assertKeys(path: string, schema: TableSchema): void {
	const odd = keyColumns(schema).find((at) => isNullable(schema.columns[at]!.type))
	if (odd === undefined) return
	throw new BackupError(
		'UNSUPPORTED',
		`key column ${schema.columns[odd]!.name} of column table ${path} may hold NULL`,
		{
			advice: 'such keys cannot be paged through; leave the table out with --exclude',
		},
	)
}

/** Ends a stream that says nothing for too long; the time in which its rows are used does not count. */
function idleLimit(
	signal: AbortSignal | undefined,
): Disposable & { readonly signal: AbortSignal; pause(): void; goOn(): void } {
	const stop = new AbortController()
	const start = (): NodeJS.Timeout =>
		setTimeout(() => stop.abort(new DOMException('no message', 'TimeoutError')), IDLE_MS)
	let timer = start()
	return {
		signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
		pause: () => clearTimeout(timer),
		goOn() {
			timer = start()
		},
		[Symbol.dispose]() {
			clearTimeout(timer)
			// A page that is left half-way ends its query.
			stop.abort()
		},
	}
}
