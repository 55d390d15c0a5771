/** One change of a table: the row with one tag byte (any), length and `Ydb.Value`, or null for a deletion. */
export interface Entry {
	readonly key: Buffer
	readonly row: Buffer | null
}

/** Rows side by side, ready to be sent; never changed after it was made. */
interface Leaf {
	readonly rows: Buffer
	readonly ends: Uint32Array
	readonly keys: readonly Buffer[]
}

/** Keys by memcmp; a bound is a key or the beginning of one. */
export interface StoreRange {
	readonly from?: Buffer | undefined
	/** First key that is not in the range. */
	readonly to?: Buffer | undefined
}

export interface Page {
	readonly rows: Buffer
	readonly count: number
	readonly ends: Uint32Array
	readonly first: number
	readonly base: number
}

const LEAF_BYTES = 32_768
const ROW_TAG = 0x12

function freeze(entries: readonly Entry[]): Leaf {
	let end = 0
	const ends = new Uint32Array(entries.length)
	const rows = entries.map(({ row }, at) => {
		end += row!.length
		ends[at] = end
		return row!
	})
	// A buffer of its own: a slice of the request would keep the whole request alive.
	const copy = Buffer.allocUnsafeSlow(end)
	let position = 0
	for (const row of rows) {
		const next = position + row.copy(copy, position)
		// An item of a written list (tag 0x62) becomes a row of a result (tag 0x12): the rest is the same.
		copy[position] = ROW_TAG
		position = next
	}
	return { rows: copy, ends, keys: entries.map(({ key }) => key) }
}

function splitIntoLeaves(entries: readonly Entry[]): Leaf[] {
	const leaves: Leaf[] = []
	let from = 0
	let size = 0
	for (let at = 0; at < entries.length; at++) {
		size += entries[at]!.row!.length
		if (size < LEAF_BYTES && at < entries.length - 1) continue
		leaves.push(freeze(entries.slice(from, at + 1)))
		from = at + 1
		size = 0
	}
	return leaves
}

/** First index whose key is not below `key`. */
function lowerBound(keys: readonly Buffer[], key: Buffer): number {
	let low = 0
	let high = keys.length
	while (low < high) {
		const middle = (low + high) >> 1
		if (keys[middle]!.compare(key) < 0) low = middle + 1
		else high = middle
	}
	return low
}

/** An ordered, copy-on-write table of rows. Snapshots cost nothing: leaves are shared until they are replaced. */
export class RowStore {
	#leaves: Leaf[]
	#shared: boolean
	#count: number
	#version: number

	constructor(leaves: Leaf[] = [], shared = false, count = 0, version = 0) {
		this.#leaves = leaves
		this.#shared = shared
		this.#count = count
		this.#version = version
	}

	/** A store with these rows (sorted by key), for a table whose rows are all rewritten. */
	static of(entries: readonly Entry[], version: number): RowStore {
		const store = new RowStore([], false, 0, version)
		store.apply(entries)
		return store
	}

	/** Rises with every change. */
	get version(): number {
		return this.#version
	}

	get count(): number {
		return this.#count
	}

	snapshot(): RowStore {
		this.#shared = true
		return new RowStore(this.#leaves, true, this.#count, this.#version)
	}

	/** Every row with its key, in key order. */
	*entries(): Generator<{ readonly key: Buffer; readonly row: Buffer }> {
		for (const { keys, rows, ends } of this.#leaves)
			for (let at = 0; at < keys.length; at++)
				yield { key: keys[at]!, row: rows.subarray(at === 0 ? 0 : ends[at - 1], ends[at]) }
	}

	/** Whether a range holds the same rows in another state of the same table. */
	sameRows(other: RowStore, range: StoreRange): boolean {
		if (this.#version === other.#version) return true
		const [a, b] = [this.#rowsOf(range, other), other.#rowsOf(range, this)]
		for (;;) {
			const [x, y] = [a.next(), b.next()]
			if (x.done || y.done) return Boolean(x.done) === Boolean(y.done)
			if (!x.value.equals(y.value)) return false
		}
	}

	/** The rows of a range; leaves that another state has too are left out. */
	*#rowsOf({ from, to }: StoreRange, other: RowStore): Generator<Buffer> {
		const common = new Set(other.#leaves)
		for (let index = from ? this.#leafFor(from) : 0; index < this.#leaves.length; index++) {
			const { keys, rows, ends } = this.#leaves[index]!
			if (to && keys[0]!.compare(to) >= 0) return
			if (common.has(this.#leaves[index]!)) continue
			const last = to ? lowerBound(keys, to) : keys.length
			for (let at = from ? lowerBound(keys, from) : 0; at < last; at++)
				yield rows.subarray(at === 0 ? 0 : ends[at - 1], ends[at])
		}
	}

	#leafFor(key: Buffer): number {
		let low = 0
		let high = this.#leaves.length
		while (low < high) {
			const middle = (low + high) >> 1
			if (this.#leaves[middle]!.keys[0]!.compare(key) <= 0) low = middle + 1
			else high = middle
		}
		return Math.max(0, low - 1)
	}

	get(key: Buffer): Buffer | undefined {
		const leaf = this.#leaves[this.#leafFor(key)]
		if (!leaf) return undefined
		const at = lowerBound(leaf.keys, key)
		if (!leaf.keys[at]?.equals(key)) return undefined
		return leaf.rows.subarray(at === 0 ? 0 : leaf.ends[at - 1], leaf.ends[at])
	}

	/** Applies changes. They must be sorted by key, one per key. */
	apply(entries: readonly Entry[]): void {
		if (entries.length === 0) return
		this.#version++
		if (this.#shared) {
			this.#leaves = this.#leaves.slice()
			this.#shared = false
		}
		const last = this.#leaves.at(-1)
		if (!last || last.keys.at(-1)!.compare(entries[0]!.key) < 0) {
			const fresh = splitIntoLeaves(entries.filter(({ row }) => row !== null))
			this.#leaves.push(...fresh)
			for (const leaf of fresh) this.#count += leaf.keys.length
			return
		}
		const replaced: Leaf[] = []
		let done = 0
		for (let at = 0; at < entries.length;) {
			const index = this.#leafFor(entries[at]!.key)
			for (; done < index; done++) replaced.push(this.#leaves[done]!)
			const next = this.#leaves[index + 1]?.keys[0]
			let end = at + 1
			if (next) while (end < entries.length && entries[end]!.key.compare(next) < 0) end++
			else end = entries.length
			replaced.push(...this.#merge(this.#leaves[index]!, entries.slice(at, end)))
			done = index + 1
			at = end
		}
		for (; done < this.#leaves.length; done++) replaced.push(this.#leaves[done]!)
		this.#leaves = replaced
	}

	#merge(leaf: Leaf, entries: readonly Entry[]): Leaf[] {
		const merged: Entry[] = []
		let at = 0
		const keep = (until: number): void => {
			for (; at < until; at++)
				merged.push({ key: leaf.keys[at]!, row: leaf.rows.subarray(at === 0 ? 0 : leaf.ends[at - 1], leaf.ends[at]) })
		}
		for (const entry of entries) {
			keep(lowerBound(leaf.keys, entry.key))
			if (leaf.keys[at]?.equals(entry.key)) at++
			if (entry.row) merged.push(entry)
		}
		keep(leaf.keys.length)
		this.#count += merged.length - leaf.keys.length
		return splitIntoLeaves(merged)
	}

	/** The rows of a range in key order, page by page, as they are stored. */
	*scan({ from, to }: StoreRange): Generator<Page> {
		let index = from ? this.#leafFor(from) : 0
		const leaves = this.#leaves
		this.#shared = true
		for (; index < leaves.length; index++) {
			const { keys, rows, ends } = leaves[index]!
			const first = from ? lowerBound(keys, from) : 0
			const last = to ? lowerBound(keys, to) : keys.length
			if (first < last) {
				const base = first === 0 ? 0 : ends[first - 1]!
				yield { rows: rows.subarray(base, ends[last - 1]), count: last - first, ends, first, base }
			}
			if (to && last < keys.length) return
		}
	}
}
