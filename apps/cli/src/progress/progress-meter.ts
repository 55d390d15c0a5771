import type { PhaseName, ProgressEvent } from '@ydbackup/engine'

/** What is known about a run at one moment, ready to be shown. */
export interface Progress {
	readonly phase: PhaseName | undefined
	readonly text: string
	readonly rows: number
	readonly bytes: number
	readonly storedBytes: number
	readonly tablesDone: number
	readonly tablesTotal: number
	readonly elapsedMs: number
	readonly bytesPerSecond: number
	/** 0 to 100, never falling; absent while the total is not known. */
	readonly percent?: number
	/** Absent while it would be a guess. */
	readonly remainingMs?: number
	readonly retries: number
}

/** Weight of the past halves in this time, so that the rate follows a change within seconds and does not flicker. */
const RATE_HALF_LIFE_MS = 5_000
/** Before this much time has passed a remaining time would be noise. */
const ESTIMATE_AFTER_MS = 2_000

/** Follows the events of a run. Pure: time comes with the events. */
export class ProgressMeter {
	#phase: PhaseName | undefined
	#text = ''
	#last: ProgressEvent | undefined
	#rate: number | undefined
	#percent: number | undefined
	#retries = 0

	startPhase(name: PhaseName, text: string): void {
		this.#phase = name
		this.#text = text
	}

	countRetry(): void {
		this.#retries++
	}

	advance(event: ProgressEvent): void {
		const before = this.#last
		const passedMs = event.elapsedMs - (before?.elapsedMs ?? 0)
		if (passedMs > 0) {
			const rate = (Math.max(0, event.bytes - (before?.bytes ?? 0)) / passedMs) * 1000
			const old = 0.5 ** (passedMs / RATE_HALF_LIFE_MS)
			this.#rate = this.#rate === undefined ? rate : this.#rate * old + rate * (1 - old)
			this.#last = event
		} else this.#last = { ...event, elapsedMs: before?.elapsedMs ?? 0 }
		const share = shareDone(event)
		if (share !== undefined) this.#percent = Math.max(this.#percent ?? 0, Math.min(100, share * 100))
	}

	/** The run has succeeded: everything is done. */
	complete(): void {
		if (this.#last !== undefined) this.#percent = 100
	}

	get hasProgress(): boolean {
		return this.#last !== undefined
	}

	read(): Progress {
		const { rows = 0, bytes = 0, storedBytes = 0, tablesDone = 0, tablesTotal = 0, elapsedMs = 0 } = this.#last ?? {}
		const percent = this.#percent
		const remainingMs = this.#remainingMs()
		return {
			phase: this.#phase,
			text: this.#text,
			rows,
			bytes,
			storedBytes,
			tablesDone,
			tablesTotal,
			elapsedMs,
			bytesPerSecond: this.#rate ?? 0,
			...(percent === undefined ? {} : { percent }),
			...(remainingMs === undefined ? {} : { remainingMs }),
			retries: this.#retries,
		}
	}

	#remainingMs(): number | undefined {
		if (this.#percent === 100) return 0
		const last = this.#last
		if (last === undefined || last.elapsedMs < ESTIMATE_AFTER_MS) return undefined
		if (last.totalBytes !== undefined && this.#rate !== undefined && this.#rate > 0)
			return (Math.max(0, last.totalBytes - last.bytes) / this.#rate) * 1000
		const share = shareDone(last)
		return share === undefined || share <= 0 ? undefined : (last.elapsedMs * (1 - share)) / share
	}
}

function shareDone({ bytes, totalBytes, rows, totalRows }: ProgressEvent): number | undefined {
	if (totalBytes !== undefined && totalBytes > 0) return Math.min(1, bytes / totalBytes)
	if (totalRows !== undefined && totalRows > 0) return Math.min(1, rows / totalRows)
	return undefined
}
