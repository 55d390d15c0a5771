import { BackupError } from '@ydbackup/core'

import type { Emit } from './event.ts'
import type { Meter } from './meter.ts'

/** After this long without anything moved a run fails, unless it is told another limit. */
export const STALL_LIMIT_MS: number = 30 * 60_000

/** Ends a run in which nothing moves any more, so that it is never shown as running for ever. */
export interface StallWatch extends Disposable {
	/** Aborts when the run is stopped from outside or nothing has moved for the stall limit. */
	readonly signal: AbortSignal
	/** Names work that is in flight, for the message; returns what ends it. */
	enter(what: string): () => void
}

export interface StallWatchOptions {
	readonly signal: AbortSignal | undefined
	readonly meter: Meter
	readonly emit: Emit
	/** After this long without a row moved the run fails. */
	readonly limitMs: number
}

export function watchStalls(options: StallWatchOptions): StallWatch {
	const { meter, emit, limitMs } = options
	const stop = new AbortController()
	const waiting = new Set<{ readonly what: string }>()
	const tick = Math.max(10, Math.min(30_000, limitMs / 4))
	const timer = setInterval(() => {
		const idleMs = meter.idleMs()
		const names = Array.from(waiting, (one) => one.what).slice(0, 10)
		if (idleMs >= limitMs) {
			stop.abort(
				new BackupError(
					'DEADLINE_EXCEEDED',
					`nothing has moved for ${Math.round(idleMs / 1000)} s; in flight: ${names.join(', ') || 'nothing'}`,
					{ advice: 'look at the database and the storage for what holds these up, then run again' },
				),
			)
		} else if (idleMs >= tick * 2) {
			emit({ type: 'stalled', idleMs: Math.round(idleMs), waiting: names })
		}
	}, tick)
	timer.unref()
	return {
		signal: options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]),
		enter(what) {
			const one = { what }
			waiting.add(one)
			return () => waiting.delete(one)
		},
		[Symbol.dispose]() {
			clearInterval(timer)
		},
	}
}
