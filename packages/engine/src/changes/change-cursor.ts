import { BackupError, type KeyBytes, type RowChunk } from '@ydbackup/core'
import type { changes as changeFormat } from '@ydbackup/format'
import type { KeyComparator } from '@ydbackup/rows'
import { RowCursor } from './row-cursor.ts'

/** The changes of one table in one link, in key order. */
export interface ChangeRows {
	readonly chunks: AsyncIterable<RowChunk>
	readonly reader: changeFormat.ChangeReader
}

/** The changes of one link, one at a time. Keys must rise strictly. */
export class ChangeCursor implements AsyncDisposable {
	/** 1 for the first link. */
	readonly layer: number
	readonly #path: string
	readonly #rows: RowCursor
	readonly #reader: changeFormat.ChangeReader
	readonly #compare: KeyComparator
	#change: changeFormat.OpenChange | undefined

	constructor(path: string, layer: number, { chunks, reader }: ChangeRows, compare: KeyComparator) {
		this.#path = path
		this.layer = layer
		this.#rows = new RowCursor(chunks)
		this.#reader = reader
		this.#compare = compare
	}

	/** There is one where {@link next} or {@link load} said so. */
	get change(): changeFormat.OpenChange {
		return this.#change!
	}

	get key(): KeyBytes {
		return this.#change!.key
	}

	/** Goes to the next change of the chunk at hand; false when there is none. */
	next(): boolean {
		return this.#rows.next() && this.#open()
	}

	/** Goes to the first change of the next chunk; false at the end. */
	async load(): Promise<boolean> {
		return (await this.#rows.load()) && this.#open()
	}

	#open(): true {
		const last = this.#change?.key
		const { bytes, start, end } = this.#rows
		this.#change = this.#reader.open(bytes, start, end)
		if (last !== undefined && this.#compare(last, this.#change.key) >= 0) {
			throw new BackupError('ROWS_OUT_OF_ORDER', `${this.#path}: changes do not come in the order of their keys`)
		}
		return true
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#rows[Symbol.asyncDispose]()
	}
}
