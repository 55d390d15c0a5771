import { BackupError, type RowChunk, type TableSchema } from '@ydbackup/core'
import { changes as changeFormat } from '@ydbackup/format'
import { copyInto, readVarint, TAG_ITEMS, TAG_NULL, varintEnd, varintLength, writeVarint } from '@ydbackup/rows'
import type { MergedColumn } from './merge-columns.ts'
import type { RowOutput } from './row-output.ts'

const { SAYS } = changeFormat
const NULL_VALUE = Uint8Array.of(TAG_NULL, 0)

/** One row, put together of its row in the full backup and its changes: {@link open}, {@link lay} for each change, {@link close}. */
export class RowMerge {
	readonly #path: string
	readonly #columns: readonly MergedColumn[]
	/** By column of the full backup, by column of the key, and by layer and column of its change table: the index of the wanted column, or -1. */
	readonly #fromBase: Int32Array
	readonly #fromKey: Int32Array
	readonly #fromLayer: readonly Int32Array[]
	/** Where the value of each column lies; undefined where there is none. */
	readonly #values: (Uint8Array | undefined)[]
	readonly #starts: Int32Array
	readonly #ends: Int32Array
	#exists = false

	/** `links` are the schemas of the change tables, the first link's first. */
	constructor(path: string, columns: readonly MergedColumn[], baseColumns: number, links: readonly TableSchema[]) {
		this.#path = path
		this.#columns = columns
		this.#fromLayer = links.map((schema, link) =>
			Int32Array.from(schema.columns, ({ name }) =>
				columns.findIndex((column) => column.name === name && link + 1 >= column.since),
			),
		)
		this.#fromBase = new Int32Array(baseColumns).fill(-1)
		this.#fromKey = new Int32Array(columns.filter(({ keyAt }) => keyAt !== undefined).length)
		for (const [index, { baseAt, keyAt }] of columns.entries()) {
			if (baseAt !== undefined) this.#fromBase[baseAt] = index
			if (keyAt !== undefined) this.#fromKey[keyAt] = index
		}
		this.#values = columns.map(() => undefined)
		this.#starts = new Int32Array(columns.length)
		this.#ends = new Int32Array(columns.length)
	}

	/** Begins a row that the full backup has, with its payload in bytes[start, end); or, without `bytes`, one that it has not. */
	open(bytes?: Uint8Array, start = 0, end = 0): void {
		this.#values.fill(undefined)
		this.#exists = bytes !== undefined
		if (bytes !== undefined) this.#setCells(this.#fromBase, bytes, start, end)
	}

	/** Lays the next change over it; the first link is layer 1. */
	lay(layer: number, { op, key, bytes, says, starts, ends }: changeFormat.OpenChange): void {
		if (op !== 'upsert') this.#values.fill(undefined)
		this.#exists = op !== 'erase'
		if (op === 'erase') return
		const targets = this.#fromLayer[layer - 1]!
		for (let column = 0; column < targets.length; column++) {
			const index = targets[column]!
			if (index < 0 || says[column] === SAYS.nothing) continue
			if (says[column] === SAYS.cell) this.#set(index, bytes, starts[column]!, ends[column]!)
			else this.#set(index, NULL_VALUE, 0, NULL_VALUE.length)
		}
		this.#setCells(this.#fromKey, key, 0, key.length)
	}

	/** Whether the row is there, after all that was laid over it. */
	get exists(): boolean {
		return this.#exists
	}

	/** Writes the row if it is there. Returns the chunk before it when that is full. */
	close(out: RowOutput): RowChunk | undefined {
		if (!this.#exists) return undefined
		const length = this.#payloadLength()
		const ready = out.makeRoom(1 + varintLength(length) + length)
		const { bytes } = out
		bytes[out.at] = TAG_ITEMS
		let p = writeVarint(bytes, out.at + 1, length)
		for (let index = 0; index < this.#columns.length; index++) {
			const value = this.#values[index]!
			const start = this.#starts[index]!
			const end = this.#ends[index]!
			bytes[p] = TAG_ITEMS
			p = writeVarint(bytes, p + 1, end - start)
			p = copyInto(bytes, p, value, start, end)
		}
		return ready
	}

	/** Fills the holes, too. */
	#payloadLength(): number {
		let length = 0
		for (let index = 0; index < this.#columns.length; index++) {
			if (this.#values[index] === undefined) this.#setNull(index)
			const size = this.#ends[index]! - this.#starts[index]!
			length += 1 + varintLength(size) + size
		}
		return length
	}

	#setNull(index: number): void {
		const { name, mayBeNull } = this.#columns[index]!
		if (mayBeNull) return this.#set(index, NULL_VALUE, 0, NULL_VALUE.length)
		throw new BackupError('CHAIN_BROKEN', `${this.#path}: a row has no value for ${name}, which must have one`, {
			reason: 'gap',
			advice: 'a change of this row is not in the chain; restore an earlier link, or take a full backup',
		})
	}

	#set(index: number, bytes: Uint8Array, start: number, end: number): void {
		this.#values[index] = bytes
		this.#starts[index] = start
		this.#ends[index] = end
	}

	/** Takes values from the cells of a row or key. */
	#setCells(targets: Int32Array, bytes: Uint8Array, start: number, end: number): void {
		let cell = 0
		for (let p = start; p < end; cell++) {
			if (bytes[p] !== TAG_ITEMS) throw new BackupError('FORMAT_INVALID', 'a row holds something else than cells')
			const length = readVarint(bytes, p + 1, end)
			const from = varintEnd
			p = from + length
			const index = targets[cell]
			if (index !== undefined && index >= 0) this.#set(index, bytes, from, p)
		}
		if (cell === targets.length) return
		throw new BackupError('FORMAT_INVALID', `a row has ${cell} cells where ${targets.length} were expected`)
	}
}
