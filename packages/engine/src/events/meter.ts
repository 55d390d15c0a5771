import type { Emit } from './event.ts'

const EVENT_INTERVAL_MS = 250

/** What one attempt at one data file moved; taken back as a whole when the attempt is made again. */
export interface PartMeter {
	add(rows: number, bytes: number, storedBytes: number): void
	takeBack(): void
}

/** Adds up rows and bytes of all data files of a run and reports them, a few times a second at most. */
export interface Meter {
	openPart(): PartMeter
	expect(totals: { readonly rows?: number | undefined; readonly bytes?: number | undefined }): void
	tableDone(): void
	/** Says that something moves that is not counted, so that it is not taken for a stall. */
	touch(): void
	/** Forgets rows and bytes: a second pass over the same files begins. */
	restart(): void
	/** Reports now, whatever the interval. */
	report(): void
	/** Milliseconds since something moved. */
	idleMs(): number
	readonly rows: number
	readonly bytes: number
	readonly storedBytes: number
}

export function createMeter(emit: Emit, tablesTotal: number, clock: () => number = () => performance.now()): Meter {
	const startedAt = clock()
	let reportedAt = startedAt
	let movedAt = startedAt
	let rows = 0
	let bytes = 0
	let storedBytes = 0
	let tablesDone = 0
	let totalRows: number | undefined
	let totalBytes: number | undefined

	function report(): void {
		reportedAt = clock()
		const estimate = totalRows !== undefined && rows > 0 ? Math.round((bytes / rows) * totalRows) : undefined
		emit({
			type: 'progress',
			rows,
			bytes,
			storedBytes,
			totalRows,
			totalBytes: totalBytes ?? estimate,
			tablesDone,
			tablesTotal,
			elapsedMs: Math.round(reportedAt - startedAt),
		})
	}

	function moved(): void {
		movedAt = clock()
		if (movedAt - reportedAt >= EVENT_INTERVAL_MS) report()
	}

	return {
		openPart() {
			let mine = { rows: 0, bytes: 0, storedBytes: 0 }
			return {
				add(addedRows, addedBytes, addedStored) {
					mine.rows += addedRows
					mine.bytes += addedBytes
					mine.storedBytes += addedStored
					rows += addedRows
					bytes += addedBytes
					storedBytes += addedStored
					moved()
				},
				takeBack() {
					rows -= mine.rows
					bytes -= mine.bytes
					storedBytes -= mine.storedBytes
					mine = { rows: 0, bytes: 0, storedBytes: 0 }
				},
			}
		},
		expect(totals) {
			totalRows = totals.rows ?? totalRows
			totalBytes = totals.bytes ?? totalBytes
		},
		tableDone() {
			tablesDone++
			moved()
		},
		touch() {
			movedAt = clock()
		},
		restart() {
			rows = 0
			bytes = 0
			storedBytes = 0
		},
		report,
		idleMs: () => clock() - movedAt,
		get rows() {
			return rows
		},
		get bytes() {
			return bytes
		},
		get storedBytes() {
			return storedBytes
		},
	}
}
