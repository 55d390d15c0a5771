import { parentPort } from 'node:worker_threads'
import { isBackupError, type RowChunk, type TableSchema } from '@ydbackup/core'
import { type Compression, createCsvParser, decompress, type DecompressLimits } from '@ydbackup/format'

export interface ParseJob {
	readonly schema: TableSchema
	/** The file's name, for errors. */
	readonly name: string
	readonly chunkBytes: number
	readonly compression: Compression
	readonly limits: DecompressLimits
}

/** What the thread is told of a file: what to do, its stored bytes piece by piece as the thread wants them, room for more answers. */
export interface ParseRequest {
	readonly file: number
	readonly begin?: ParseJob
	readonly bytes?: Uint8Array
	readonly isEnd?: boolean
	readonly isTaken?: boolean
	/** Nobody wants the rest. */
	readonly isLeft?: boolean
}

export interface Parsed {
	readonly chunks: readonly RowChunk[]
	/** Bytes of the text that they were read from. */
	readonly plainBytes: number
}

export interface ParseAnswer {
	readonly file: number
	/** The next piece is wanted. */
	readonly wants?: boolean
	readonly parsed?: Parsed
	readonly isEnd?: boolean
	readonly error?: {
		readonly code?: string | undefined
		readonly message: string
		readonly advice?: string | undefined
	}
}

/** Answers that may lie there untaken, for each file. */
const ROOM = 3

class FileInWork {
	readonly #file: number
	#room = ROOM
	#isLeft = false
	#piece: ParseRequest | undefined
	#wake: () => void = () => undefined

	constructor(file: number) {
		this.#file = file
	}

	tell(request: ParseRequest): void {
		if (request.isLeft === true) this.#isLeft = true
		else if (request.isTaken === true) this.#room++
		else this.#piece = request
		this.#wake()
	}

	async run({ schema, name, chunkBytes, compression, limits }: ParseJob): Promise<void> {
		const parser = createCsvParser(schema, { file: name, chunkBytes })
		for await (const csv of decompress(this.#pieces(), compression, limits)) {
			await this.#give({ chunks: parser.push(csv), plainBytes: csv.length })
		}
		await this.#give({ chunks: parser.end(), plainBytes: 0 })
	}

	async *#pieces(): AsyncGenerator<Uint8Array, void, undefined> {
		for (;;) {
			post({ file: this.#file, wants: true })
			await this.#until(() => this.#piece !== undefined)
			const { bytes } = this.#piece!
			this.#piece = undefined
			if (bytes === undefined) return
			yield bytes
		}
	}

	async #give(parsed: Parsed): Promise<void> {
		await this.#until(() => this.#room > 0)
		this.#room--
		const memory = parsed.chunks.map(({ bytes }) => bytes.buffer as ArrayBuffer)
		post({ file: this.#file, parsed }, memory)
	}

	/** Throws when the file was left. */
	async #until(isSo: () => boolean): Promise<void> {
		while (!this.#isLeft && !isSo()) await new Promise<void>((resolve) => (this.#wake = resolve))
		if (this.#isLeft) throw new Error('nobody wants the rest')
	}
}

function post(answer: ParseAnswer, memory: readonly ArrayBuffer[] = []): void {
	parentPort!.postMessage(answer, memory)
}

function errorOf(error: unknown): NonNullable<ParseAnswer['error']> {
	if (!isBackupError(error)) return { message: String(error) }
	const { code, message, advice } = error
	return { code, message, advice }
}

const files = new Map<number, FileInWork>()

parentPort?.on('message', (request: ParseRequest) => {
	const { file, begin } = request
	if (begin === undefined) return files.get(file)?.tell(request)
	const work = new FileInWork(file)
	files.set(file, work)
	void work
		.run(begin)
		.then(
			() => post({ file, isEnd: true }),
			(error: unknown) => post({ file, error: errorOf(error) }),
		)
		.finally(() => files.delete(file))
})
