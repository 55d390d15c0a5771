import {
	BackupError,
	interruption,
	isBackupError,
	type OpenWriterOptions,
	type RowChunk,
	type TableWriter,
} from '@ydbackup/core'
import { releaseBytes } from '@ydbackup/rows'
import { patiently } from '../call/patience.ts'
import { Window } from './window.ts'

const FIRST_IN_FLIGHT = 4
const MOST_IN_FLIGHT = 8
/** How long one request may go on being refused. Restores outlive an overloaded database by time, not by a number of tries. */
const BUDGET_MS = 600_000

/** Sends chunks with a window of requests in flight that follows what the server can take. */
export function windowWriter(
	path: string,
	send: (chunk: RowChunk, signal: AbortSignal) => Promise<void>,
	options: OpenWriterOptions,
	budgetMs: number = BUDGET_MS,
): TableWriter {
	const { onWritten, onRetry } = options
	const stop = new AbortController()
	const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
	const window = new Window(FIRST_IN_FLIGHT, MOST_IN_FLIGHT)
	const inFlight = new Set<Promise<void>>()
	const doing = `write to table ${path}`
	let failure: { readonly error: unknown } | undefined
	let closed = false

	async function deliver(chunk: RowChunk): Promise<void> {
		try {
			await patiently(
				{
					doing,
					signal,
					budgetMs,
					onRetry(reason) {
						window.overloaded()
						onRetry?.(reason)
					},
				},
				() => send(chunk, signal),
			)
			window.succeeded()
			onWritten?.({ rows: chunk.rows, bytes: chunk.bytes.length })
			releaseBytes(chunk.bytes)
		} catch (error) {
			failure ??= { error }
			stop.abort(isBackupError(error) ? error : undefined)
		}
	}

	const check = (): void => {
		if (failure) throw failure.error
		if (options.signal?.aborted) throw interruption(options.signal, doing)
	}

	return {
		async write(chunk) {
			if (closed) throw new BackupError('INTERNAL', `the writer of ${path} is closed`)
			check()
			while (inFlight.size >= window.size) {
				await Promise.race(inFlight)
				check()
			}
			const sent = deliver(chunk).finally(() => inFlight.delete(sent))
			inFlight.add(sent)
		},
		async finish() {
			closed = true
			await Promise.all(inFlight)
			check()
		},
		abort(reason) {
			closed = true
			stop.abort(reason)
			failure ??= { error: interruption(stop.signal, doing) }
		},
	}
}
