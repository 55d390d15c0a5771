import { Worker } from 'node:worker_threads'
import { BackupError, type ErrorCode } from '@ydbackup/core'
import type { ParseAnswer, Parsed, ParseJob, ParseRequest } from './parse-worker.ts'

/** Its texts and chunks of rows are outside of its heap, and little else is made there. */
const HEAP_MIB = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 }

let shared: ParseThread | undefined

/** Starts the thread, if it is not there: that takes as long as parsing a few MiB. */
export function openParseThread(): ParseThread {
	if (shared === undefined || shared.isOver) shared = new ParseThread()
	return shared
}

type Hear = (answer: ParseAnswer) => void

/** Unpacks and parses CSV files beside the process's own thread. One serves all files, and keeps the process alive only while it has one. */
class ParseThread {
	readonly #worker: Worker
	readonly #files = new Map<number, Hear>()
	#lastFile = 0
	isOver = false

	constructor() {
		const isSource = import.meta.url.endsWith('.ts')
		this.#worker = new Worker(new URL(isSource ? './parse-worker.ts' : './parse-worker.js', import.meta.url), {
			resourceLimits: HEAP_MIB,
			execArgv: isSource ? ['--conditions=@ydbackup/source'] : [],
		})
		this.#worker.on('message', (answer: ParseAnswer) => this.#files.get(answer.file)?.(answer))
		this.#worker.once('error', (error) => this.#fail(String(error)))
		this.#worker.once('exit', () => this.#fail('it has ended'))
		// Last: a listener would hold the process again.
		this.#worker.unref()
	}

	/**
	 * The rows of a file, in order, of its stored bytes. A few MiB are unpacked and parsed ahead of the reader. Waits for the thread, which
	 * works or ends, and for `stored`, whose errors come through as they are. Errors: as `decompress` and `CsvParser`.
	 */
	async *parse(job: ParseJob, stored: AsyncIterable<Uint8Array>): AsyncGenerator<Parsed, void, undefined> {
		const pieces = stored[Symbol.asyncIterator]()
		const file = ++this.#lastFile
		const parsed: Parsed[] = []
		let end: { readonly error?: unknown } | undefined
		let wake: () => void = () => undefined
		let feeding: Promise<void> = Promise.resolve()
		const over = (error?: unknown): void => {
			end ??= error === undefined ? {} : { error }
			wake()
		}
		this.#worker.ref()
		this.#files.set(file, (answer) => {
			if (answer.wants === true) feeding = this.#feed(file, pieces).catch(over)
			else if (answer.parsed) parsed.push(answer.parsed)
			else over(answer.error && failureOf(answer.error, job.name))
			wake()
		})
		if (this.isOver) over(failureOf({ message: 'it is over' }, job.name))
		else this.#post({ file, begin: job })
		try {
			for (;;) {
				const next = parsed.shift()
				if (next !== undefined) {
					this.#post({ file, isTaken: true })
					yield next
				} else if (end === undefined) await new Promise<void>((resolve) => (wake = resolve))
				else if ('error' in end) throw end.error
				else return
			}
		} finally {
			this.#files.delete(file)
			if (this.#files.size === 0) this.#worker.unref()
			if (end === undefined || 'error' in end) this.#post({ file, isLeft: true })
			await feeding
			await pieces.return?.()
		}
	}

	async #feed(file: number, pieces: AsyncIterator<Uint8Array>): Promise<void> {
		const { done, value } = await pieces.next()
		if (done === true) return this.#post({ file, isEnd: true })
		// A copy: the memory goes to the thread, and a source may use its own again.
		const bytes = new Uint8Array(value)
		this.#post({ file, bytes }, [bytes.buffer])
	}

	#post(request: ParseRequest, memory: readonly ArrayBuffer[] = []): void {
		if (!this.isOver) this.#worker.postMessage(request, memory)
	}

	#fail(why: string): void {
		this.isOver = true
		for (const [file, hear] of this.#files) hear({ file, error: { message: why } })
	}
}

function failureOf({ code, message, advice }: NonNullable<ParseAnswer['error']>, name: string): BackupError {
	if (code !== undefined) return new BackupError(code as ErrorCode, message, advice === undefined ? {} : { advice })
	return new BackupError('INTERNAL', `the thread that parses ${name} failed: ${message}`, { advice: 'run again' })
}
