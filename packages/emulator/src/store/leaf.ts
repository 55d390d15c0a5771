import type { Batch } from './batch.ts'
import { compareBytes } from './bytes.ts'

/** Rows side by side, ready to be sent, with their keys; one piece of memory, never changed after it was made. */
export interface Leaf {
	/** All of it: where rows end, where keys end, rows, keys. */
	readonly image: Buffer
	readonly count: number
	readonly rowBytes: number
	/** Where rows end, counted from where they begin, and then where keys do. */
	readonly ends: Uint32Array
	/** Where keys begin. */
	readonly keysAt: number
}

const ROW_TAG = 0x12

/** An image lies at the beginning of its memory. */
export function leafOf(image: Buffer, count: number, rowBytes: number): Leaf {
	return { image, count, rowBytes, ends: new Uint32Array(image.buffer, 0, 2 * count), keysAt: 8 * count + rowBytes }
}

/** Compares a key with the key of a row of a leaf. */
export function compareToKey(key: Uint8Array, start: number, end: number, leaf: Leaf, at: number): number {
	const { image, count, ends, keysAt } = leaf
	return compareBytes(
		key,
		start,
		end,
		image,
		at === 0 ? keysAt : keysAt + ends[count + at - 1]!,
		keysAt + ends[count + at]!,
	)
}

/** First row, not before `low`, whose key is not below the key. */
export function lowerBound(leaf: Leaf, key: Uint8Array, start = 0, end: number = key.length, low = 0): number {
	let from = low
	let to = leaf.count
	while (from < to) {
		const middle = (from + to) >> 1
		if (compareToKey(key, start, end, leaf, middle) > 0) from = middle + 1
		else to = middle
	}
	return from
}

/** Rows [from, to), one behind the other. */
export function rowsIn({ image, count, ends }: Leaf, from: number, to: number): Buffer {
	return image.subarray(8 * count + (from === 0 ? 0 : ends[from - 1]!), 8 * count + ends[to - 1]!)
}

export function keyAt({ image, count, ends, keysAt }: Leaf, at: number): Buffer {
	return image.subarray(keysAt + (at === 0 ? 0 : ends[count + at - 1]!), keysAt + ends[count + at]!)
}

/** The rows of leaves in the making: where each comes from. One at a time is made, so one piece of memory serves all. */
let capacity = 4096
let staged = 0
let origin = new Uint8Array(capacity)
let places = new Uint32Array(capacity * 4)

function room(more: number): void {
	if (staged + more <= capacity) return
	while (staged + more > capacity) capacity *= 2
	const origins = new Uint8Array(capacity)
	origins.set(origin.subarray(0, staged))
	origin = origins
	const all = new Uint32Array(capacity * 4)
	all.set(places.subarray(0, staged * 4))
	places = all
}

const LEAF = 0
const BATCH = 1

function put(from: number, start: number, end: number, keyStart: number, keyEnd: number): void {
	origin[staged] = from
	const at = staged++ * 4
	places[at] = start
	places[at + 1] = end
	places[at + 2] = keyStart
	places[at + 3] = keyEnd
}

function putLeafRows({ count, ends, keysAt }: Leaf, from: number, to: number): void {
	if (from === to) return
	room(to - from)
	let start = 8 * count + (from === 0 ? 0 : ends[from - 1]!)
	let keyStart = keysAt + (from === 0 ? 0 : ends[count + from - 1]!)
	for (let at = from; at < to; at++) {
		const end = 8 * count + ends[at]!
		const keyEnd = keysAt + ends[count + at]!
		put(LEAF, start, end, keyStart, keyEnd)
		start = end
		keyStart = keyEnd
	}
}

function putBatchRow({ starts, ends, keyEnds }: Batch, at: number): void {
	if (starts[at] === ends[at]) return
	room(1)
	put(BATCH, starts[at]!, ends[at]!, at === 0 ? 0 : keyEnds[at - 1]!, keyEnds[at]!)
}

/** Copies one side of staged rows (0: the rows, 2: their keys) to a place, neighbours in one go, and notes where each ends. */
function gather(
	from: number,
	to: number,
	side: 0 | 2,
	batch: Buffer,
	leaf: Leaf | undefined,
	out: Leaf,
	place: number,
): void {
	let written = 0
	const firstEnd = side === 0 ? 0 : out.count
	for (let at = from; at < to;) {
		const source = origin[at]!
		const start = places[at * 4 + side]!
		let end = start
		for (; at < to && origin[at] === source && places[at * 4 + side] === end; at++) {
			end = places[at * 4 + side + 1]!
			out.ends[firstEnd + at - from] = written + end - start
		}
		;(source === LEAF ? leaf!.image : batch).copy(out.image, place + written, start, end)
		written += end - start
	}
}

function freeze(from: number, to: number, rowBytes: number, leaf: Leaf | undefined, batch: Batch): Leaf {
	const count = to - from
	let keyBytes = 0
	for (let at = from; at < to; at++) keyBytes += places[at * 4 + 3]! - places[at * 4 + 2]!
	const made = leafOf(Buffer.allocUnsafeSlow(8 * count + rowBytes + keyBytes), count, rowBytes)
	gather(from, to, 0, batch.bytes, leaf, made, 8 * count)
	gather(from, to, 2, batch.keys, leaf, made, made.keysAt)
	// An item of a written list (tag 0x62) becomes a row of a result (tag 0x12): the rest is the same.
	for (let at = 0; at < count; at++) made.image[8 * count + (at === 0 ? 0 : made.ends[at - 1]!)] = ROW_TAG
	return made
}

function cut(target: number, leaf: Leaf | undefined, batch: Batch): Leaf[] {
	const leaves: Leaf[] = []
	let total = 0
	for (let at = 0; at < staged; at++) total += places[at * 4 + 1]! - places[at * 4]!
	// Pieces of one size: none is left over as a crumb.
	const size = total / Math.max(1, Math.round(total / target))
	let from = 0
	let bytes = 0
	for (let at = 0; at < staged; at++) {
		bytes += places[at * 4 + 1]! - places[at * 4]!
		if (bytes < size && at < staged - 1) continue
		leaves.push(freeze(from, at + 1, bytes, leaf, batch))
		from = at + 1
		bytes = 0
	}
	staged = 0
	return leaves
}

/** As rows come in order they lie in large leaves: fewer pieces to send. */
const LARGE = 32_768
/** Where rows change here and there, each change copies a leaf: small ones cost less. */
const SMALL = 4096

/** Rows [from, to) of a batch put into a leaf, which is replaced by those returned. */
export function mergeInto(leaf: Leaf | undefined, batch: Batch, from: number, to: number): Leaf[] {
	staged = 0
	const bytes = to - from < 16 ? 0 : batch.ends[to - 1]! - batch.starts[from]!
	if (!leaf) {
		for (let at = from; at < to; at++) putBatchRow(batch, at)
		return cut(LARGE, undefined, batch)
	}
	const { keys, keyEnds } = batch
	const rows = leaf.count
	const firstStart = from === 0 ? 0 : keyEnds[from - 1]!
	const behind = compareToKey(keys, firstStart, keyEnds[from]!, leaf, rows - 1) > 0
	if (behind && (bytes >= SMALL || leaf.rowBytes >= LARGE * 0.75)) {
		for (let at = from; at < to; at++) putBatchRow(batch, at)
		return [leaf, ...cut(LARGE, undefined, batch)]
	}
	let done = 0
	for (let at = from; at < to; at++) {
		const start = at === 0 ? 0 : keyEnds[at - 1]!
		const end = keyEnds[at]!
		const next = behind ? rows : lowerBound(leaf, keys, start, end, done)
		putLeafRows(leaf, done, next)
		done = next
		if (done < rows && compareToKey(keys, start, end, leaf, done) === 0) done++
		putBatchRow(batch, at)
	}
	putLeafRows(leaf, done, rows)
	return cut(behind || to - from > rows / 2 ? LARGE : SMALL, leaf, batch)
}
