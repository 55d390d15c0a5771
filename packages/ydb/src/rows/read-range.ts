import { CreateSessionResultSchema, TableServiceDefinition } from '@ydbjs/api/table'
import type { Driver } from '@ydbjs/core'
import {
	type KeyBytes,
	type KeyRange,
	type ReadRowsOptions,
	type RowChunk,
	type TableSchema,
	throwIfInterrupted,
} from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { resultOf } from '../call/operation.ts'
import { Patience } from '../call/patience.ts'
import type { ByteBudget } from './byte-budget.ts'
import { RowStreamService } from './raw-service.ts'
import { BATCH_BYTES, BATCH_BYTES_IN_TURNS, readRequest } from './read-request.ts'
import { resultSetOf } from './response.ts'
import { createRowTaker } from './take-checked.ts'

export interface RangeReader {
	readonly driver: Driver
	readonly budget: Pick<ByteBudget, 'take'>
	/** Absolute path of the table that is read. */
	readonly path: string
	readonly schema: TableSchema
}

/** Messages that a stream may hold before they are consumed: the client keeps up to sixteen. */
const STREAM_MESSAGES = 16
const IDLE_MS = 120_000

/** The rows of a range in key order, as raw bytes. A broken stream is opened again behind the last row that was handed on. */
export async function* readRange(
	reader: RangeReader,
	range: KeyRange,
	options: ReadRowsOptions = {},
): AsyncGenerator<RowChunk> {
	const { path, schema, budget } = reader
	const { signal, onRestart, inTurns, isEachChecked } = options
	const batchBytes = inTurns === undefined ? BATCH_BYTES : BATCH_BYTES_IN_TURNS
	const doing = `read table ${path}`
	const take = createRowTaker(path, schema, range, isEachChecked)
	const patience = new Patience({ doing, signal, onRetry: onRestart })
	let last: KeyBytes | undefined
	let messageBytes = batchBytes
	let release = await budget.take(STREAM_MESSAGES * messageBytes, signal)
	try {
		for (;;) {
			throwIfInterrupted(signal, doing)
			const rest: KeyRange = last ? { ...range, from: { key: last, inclusive: false } } : range
			let wide: { readonly chunk: RowChunk; readonly bytes: number } | undefined
			try {
				for await (const message of messages(reader, rest, batchBytes, signal)) {
					throwIfInterrupted(signal, doing)
					const resultSet = resultSetOf(message, doing)
					const chunk = resultSet && take(message, resultSet, last)
					if (!chunk) continue
					last = chunk.lastKey
					patience.reset()
					if (message.length > 2 * messageBytes) {
						wide = { chunk, bytes: message.length }
						break
					}
					yield chunk
				}
				if (!wide) return
				// Rows so wide that sixteen messages are more than was taken: the stream is given up before more is asked for, so that
				// nobody waits for memory and holds some. It goes on behind the last row.
				messageBytes = wide.bytes
				release()
				release = await budget.take(STREAM_MESSAGES * messageBytes, signal)
				yield wide.chunk
			} catch (error) {
				await patience.failed(error)
			}
		}
	} finally {
		release()
	}
}

async function* messages(
	{ driver, path, schema }: RangeReader,
	range: KeyRange,
	batchBytes: number,
	signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
	const client = driver.createClient(TableServiceDefinition)
	const rows = driver.createClient(RowStreamService)
	const doing = `open a session to read ${path}`
	const { sessionId } = resultOf(
		CreateSessionResultSchema,
		await bounded(signal, 15_000, (bound) => client.createSession({}, { signal: bound })),
		doing,
	)
	const stop = new AbortController()
	let idle = setTimeout(() => stop.abort(new DOMException('no message', 'TimeoutError')), IDLE_MS)
	const bound = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
	let ended = false
	try {
		const request = readRequest(sessionId, path, schema, range, batchBytes)
		for await (const message of rows.streamReadTable(request, { signal: bound })) {
			clearTimeout(idle)
			yield message
			idle = setTimeout(() => stop.abort(new DOMException('no message', 'TimeoutError')), IDLE_MS)
		}
		ended = true
	} finally {
		clearTimeout(idle)
		if (!ended) stop.abort()
		// Nobody waits for it: the server ends sessions that nobody uses.
		void bounded(undefined, 5_000, (bound) => client.deleteSession({ sessionId }, { signal: bound })).catch(() => {})
	}
}
