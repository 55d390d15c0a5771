import { type Batch, batchOf, type Entry } from './batch.ts'
import { compareToKey, keyAt, type Leaf, lowerBound, mergeInto, rowsIn } from './leaf.ts'

export type { Batch, Entry } from './batch.ts'

/** Keys by memcmp; a bound is a key or the beginning of one. */
export interface StoreRange {
	readonly from?: Buffer | undefined
	/** First key that is not in the range. */
	readonly to?: Buffer | undefined
}

export interface Page {
	readonly rows: Buffer
	readonly count: number
	/** Where rows end, also others: those of the page are from `first` on, counted from `base`. */
	readonly ends: Uint32Array
	readonly first: number
	readonly base: number
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

	/** Puts leaves behind those that are there: their keys must be above. */
	addLeaves(leaves: readonly Leaf[]): void {
		if (this.#shared) {
			this.#leaves = this.#leaves.slice()
			this.#shared = false
		}
		for (const leaf of leaves) {
			this.#leaves.push(leaf)
			this.#count += leaf.count
		}
		this.#version++
	}

	/** Rises with every change. */
	get version(): number {
		return this.#version
	}

	get count(): number {
		return this.#count
	}

	/** What the rows lie in, in the order of their keys; never changed. */
	get leaves(): readonly Leaf[] {
		this.#shared = true
		return this.#leaves
	}

	snapshot(): RowStore {
		this.#shared = true
		return new RowStore(this.#leaves, true, this.#count, this.#version)
	}

	/** Every row with its key, in key order. */
	*entries(): Generator<{ readonly key: Buffer; readonly row: Buffer }> {
		for (const leaf of this.leaves)
			for (let at = 0; at < leaf.count; at++) yield { key: keyAt(leaf, at), row: rowsIn(leaf, at, at + 1) }
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
			const leaf = this.#leaves[index]!
			if (to && compareToKey(to, 0, to.length, leaf, 0) <= 0) return
			if (common.has(leaf)) continue
			const last = to ? lowerBound(leaf, to) : leaf.count
			for (let at = from ? lowerBound(leaf, from) : 0; at < last; at++) yield rowsIn(leaf, at, at + 1)
		}
	}

	/** The last leaf that begins with a key that is not above, or the first. */
	#leafFor(key: Uint8Array, start = 0, end: number = key.length, least = 0): number {
		let low = least
		let high = this.#leaves.length
		while (low < high) {
			const middle = (low + high) >> 1
			if (compareToKey(key, start, end, this.#leaves[middle]!, 0) >= 0) low = middle + 1
			else high = middle
		}
		return Math.max(0, low - 1)
	}

	get(key: Buffer): Buffer | undefined {
		const leaf = this.#leaves[this.#leafFor(key)]
		if (!leaf) return undefined
		const at = lowerBound(leaf, key)
		if (at === leaf.count || compareToKey(key, 0, key.length, leaf, at) !== 0) return undefined
		return rowsIn(leaf, at, at + 1)
	}

	/** Applies changes. They must be sorted by key, one per key. */
	apply(entries: readonly Entry[]): void {
		this.applyBatch(batchOf(entries))
	}

	/** Applies changes. They must be sorted by key, one per key. */
	applyBatch(batch: Batch): void {
		const { count, keys, keyEnds } = batch
		if (count === 0) return
		this.#version++
		if (this.#shared) {
			this.#leaves = this.#leaves.slice()
			this.#shared = false
		}
		const leaves = this.#leaves
		const changed: number[] = []
		const replaced: Leaf[][] = []
		let inPlace = true
		for (let at = 0; at < count;) {
			const index = this.#leafFor(keys, at === 0 ? 0 : keyEnds[at - 1]!, keyEnds[at]!, changed.at(-1) ?? 0)
			const next = leaves[index + 1]
			let end = at + 1
			if (next) while (end < count && compareToKey(keys, keyEnds[end - 1]!, keyEnds[end]!, next, 0) < 0) end++
			else end = count
			const leaf = leaves[index]
			const merged = mergeInto(leaf, batch, at, end)
			this.#count -= leaf?.count ?? 0
			for (const each of merged) this.#count += each.count
			if (merged.length !== 1 || !leaf) inPlace = false
			changed.push(index)
			replaced.push(merged)
			at = end
		}
		if (inPlace) for (let at = 0; at < changed.length; at++) leaves[changed[at]!] = replaced[at]![0]!
		else if (changed.length === 1) leaves.splice(changed[0]!, 1, ...replaced[0]!)
		else this.#leaves = spliced(leaves, changed, replaced)
	}

	/** The rows of a range in key order, page by page, as they are stored. */
	*scan({ from, to }: StoreRange): Generator<Page> {
		let index = from ? this.#leafFor(from) : 0
		const { leaves } = this
		for (; index < leaves.length; index++) {
			const leaf = leaves[index]!
			const { ends, count } = leaf
			const first = from ? lowerBound(leaf, from) : 0
			const last = to ? lowerBound(leaf, to) : count
			if (first < last) {
				const base = first === 0 ? 0 : ends[first - 1]!
				yield { rows: rowsIn(leaf, first, last), count: last - first, ends, first, base }
			}
			if (to && last < count) return
		}
	}
}

function spliced(leaves: readonly Leaf[], changed: readonly number[], replaced: readonly Leaf[][]): Leaf[] {
	const out: Leaf[] = []
	let done = 0
	for (let at = 0; at < changed.length; at++) {
		for (; done < changed[at]!; done++) out.push(leaves[done]!)
		for (const leaf of replaced[at]!) out.push(leaf)
		done++
	}
	for (; done < leaves.length; done++) out.push(leaves[done]!)
	return out
}
