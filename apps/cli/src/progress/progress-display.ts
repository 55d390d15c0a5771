import type { EngineEvent } from '@ydbackup/engine'
import { ENVELOPE_VERSION } from '../output/envelope.ts'
import { printable } from '../output/printable.ts'
import { spellDuration } from '../output/quantity.ts'
import { withoutSecrets } from '../output/secrets.ts'
import { ProgressMeter } from './progress-meter.ts'
import { progressText } from './progress-text.ts'

export const PROGRESS_STYLES = ['auto', 'bar', 'lines', 'json', 'none'] as const
export type ProgressStyle = (typeof PROGRESS_STYLES)[number]

export interface ProgressOutput {
	write(text: string): unknown
	readonly isTTY?: boolean | undefined
	readonly columns?: number | undefined
}

export interface ProgressDisplayOptions {
	readonly style: ProgressStyle
	readonly output: ProgressOutput
	readonly now?: () => number
}

/** Work that takes less shows nothing. */
const QUIET_START_MS = 1_000
const LINE_EVERY_MS = 5_000
const BAR_EVERY_MS = 100
const JSON_EVERY_MS = 500
const ERASE_LINE = '\r\u001b[K'

/** Shows a run's events on stderr while it runs. Warnings are always shown; everything else as the style says. */
export class ProgressDisplay implements Disposable {
	readonly #meter = new ProgressMeter()
	readonly #style: Exclude<ProgressStyle, 'auto'>
	readonly #output: ProgressOutput
	readonly #now: () => number
	readonly #startedAt: number
	#shownAt: number
	#isLineOpen = false
	#timer: NodeJS.Timeout | undefined

	constructor({ style, output, now = () => performance.now() }: ProgressDisplayOptions) {
		this.#style = style === 'auto' ? (output.isTTY && process.env['TERM'] !== 'dumb' ? 'bar' : 'lines') : style
		this.#output = output
		this.#now = now
		this.#startedAt = now()
		this.#shownAt = -Infinity
		if (this.#style !== 'bar' && this.#style !== 'lines') return
		// Between two events of a slow run the display must not look dead.
		this.#timer = setInterval(() => this.#refresh(), this.#style === 'bar' ? 250 : 1000)
		this.#timer.unref()
	}

	readonly onEvent = (event: EngineEvent): void => {
		if (event.type === 'phase') this.#meter.startPhase(event.name, event.text)
		else if (event.type === 'retry') this.#meter.countRetry()
		else if (event.type === 'progress') this.#meter.advance(event)
		if (this.#style === 'json') this.#writeEvent(event)
		else if (event.type === 'warning') this.#writeLine(warningText(event))
		else if (event.type === 'stalled')
			this.#writeLine(`nothing has moved for ${spellDuration(event.idleMs)}; waiting for ${event.waiting.join(', ')}`)
		else this.#refresh()
	}

	/** Says something in between, without spoiling the line that is being updated. */
	say(text: string): void {
		if (this.#style !== 'json') this.#writeLine(text)
	}

	/** The run has succeeded: the last event says 100 %. */
	complete(): void {
		this.#meter.complete()
		if (this.#style === 'json' && this.#meter.hasProgress) this.#writeProgress()
	}

	[Symbol.dispose](): void {
		clearInterval(this.#timer)
		this.#erase()
	}

	#refresh(): void {
		const now = this.#now()
		if (now - this.#startedAt < QUIET_START_MS) return
		if (this.#style === 'bar' && now - this.#shownAt >= BAR_EVERY_MS) {
			this.#shownAt = now
			const columns = this.#output.columns ?? 80
			this.#output.write(ERASE_LINE + withoutSecrets(progressText(this.#meter.read())).slice(0, columns - 1))
			this.#isLineOpen = true
		} else if (this.#style === 'lines' && now - this.#shownAt >= LINE_EVERY_MS) {
			this.#shownAt = now
			this.#writeLine(progressText(this.#meter.read()))
		}
	}

	#writeEvent(event: EngineEvent): void {
		if (event.type !== 'progress') {
			const { version: _, ...body } = event
			this.#writeJson(body)
			return
		}
		if (this.#now() - this.#shownAt < JSON_EVERY_MS) return
		this.#shownAt = this.#now()
		this.#writeProgress()
	}

	#writeProgress(): void {
		const { text: _, bytesPerSecond, percent, remainingMs, ...rest } = this.#meter.read()
		this.#writeJson({
			type: 'progress',
			...rest,
			bytesPerSecond: Math.round(bytesPerSecond),
			...(percent === undefined ? {} : { percent: Number(percent.toFixed(1)) }),
			...(remainingMs === undefined ? {} : { remainingMs: Math.round(remainingMs) }),
		})
	}

	#writeJson(body: object): void {
		this.#output.write(`${withoutSecrets(JSON.stringify({ ydbackup: ENVELOPE_VERSION, ...body }))}\n`)
	}

	#writeLine(text: string): void {
		this.#erase()
		this.#output.write(`${withoutSecrets(text)}\n`)
	}

	#erase(): void {
		if (!this.#isLineOpen) return
		this.#output.write(ERASE_LINE)
		this.#isLineOpen = false
	}
}

function warningText({ message, path }: { readonly message: string; readonly path?: string | undefined }): string {
	return `warning: ${path === undefined ? '' : `${printable(path)}: `}${printable(message)}`
}
