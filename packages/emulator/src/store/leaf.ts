import type { Batch } from './batch.ts'
import { compareBytes } from './bytes.ts'

/** Rows side by side, ready to be sent, with their keys; one piece of memory, never changed after it was made. */
export interface Leaf {
	/** All of it: the ends of rows, the ends of keys, rows, keys. */
	readonly image: Buffer
	readonly rows: Buffer
	readonly keys: Buffer
	readonly ends: Uint32Array
	readonly keyEnds: Uint32Array
}

const ROW_TAG = 0x12

/** Views into an image whose memory begins with it. */
export function leafOf(image: Buffer, count: number, rowBytes: number): Leaf {
	const { buffer, byteOffset } = image
	const ends = new Uint32Array(buffer, byteOffset, count)
	const keyEnds = new Uint32Array(buffer, byteOffset + 4 * count, count)
	const rows = image.subarray(8 * count, 8 * count + rowBytes)
	return { image, rows, keys: image.subarray(8 * count + rowBytes), ends, keyEnds }
}

/** Compares a key with the key of a row of a leaf. */
export function compareToKey(key: Uint8Array, start: number, end: number, leaf: Leaf, at: number): number {
	return compareBytes(key, start, end, leaf.keys, at === 0 ? 0 : leaf.keyEnds[at - 1]!, leaf.keyEnds[at]!)
}

/** First row, not before `low`, whose key is not below the key. */
export function lowerBound(leaf: Leaf, key: Uint8Array, start = 0, end: number = key.length, low = 0): number {
	let from = low
	let to = leaf.ends.length
	while (from < to) {
		const middle = (from + to) >> 1
		if (compareToKey(key, start, end, leaf, middle) > 0) from = middle + 1
		else to = middle
	}
	return from
}

export function rowAt({ rows, ends }: Leaf, at: number): Buffer {
	return rows.subarray(at === 0 ? 0 : ends[at - 1], ends[at])
}

export function keyAt({ keys, keyEnds }: Leaf, at: number): Buffer {
	return keys.subarray(at === 0 ? 0 : keyEnds[at - 1], keyEnds[at])
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

function putLeafRows({ ends, keyEnds }: Leaf, from: number, to: number): void {
	room(to - from)
	for (let at = from; at < to; at++)
		put(LEAF, at === 0 ? 0 : ends[at - 1]!, ends[at]!, at === 0 ? 0 : keyEnds[at - 1]!, keyEnds[at]!)
}

function putBatchRow({ starts, ends, keyEnds }: Batch, at: number): void {
	if (starts[at] === ends[at]) return
	room(1)
	put(BATCH, starts[at]!, ends[at]!, at === 0 ? 0 : keyEnds[at - 1]!, keyEnds[at]!)
}

/** Copies fields [field, field + 1) of staged rows, neighbours in one go; writes where each ends. */
function gather(
	from: number,
	to: number,
	field: 0 | 2,
	sources: readonly Buffer[],
	out: Buffer,
	ends: Uint32Array,
): void {
	let written = 0
	for (let at = from; at < to;) {
		const source = origin[at]!
		const start = places[at * 4 + field]!
		let end = start
		for (; at < to && origin[at] === source && places[at * 4 + field] === end; at++) {
			end = places[at * 4 + field + 1]!
			ends[at - from] = written + end - start
		}
		sources[source]!.copy(out, written, start, end)
		written += end - start
	}
}

function freeze(from: number, to: number, rowBytes: number, leaf: Leaf | undefined, batch: Batch): Leaf {
	const count = to - from
	let keyBytes = 0
	for (let at = from; at < to; at++) keyBytes += places[at * 4 + 3]! - places[at * 4 + 2]!
	const made = leafOf(Buffer.allocUnsafeSlow(8 * count + rowBytes + keyBytes), count, rowBytes)
	gather(from, to, 0, [leaf?.rows ?? batch.bytes, batch.bytes], made.rows, made.ends)
	gather(from, to, 2, [leaf?.keys ?? batch.keys, batch.keys], made.keys, made.keyEnds)
	// An item of a written list (tag 0x62) becomes a row of a result (tag 0x12): the rest is the same.
	for (let at = 0; at < count; at++) made.rows[at === 0 ? 0 : made.ends[at - 1]!] = ROW_TAG
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
const SMALL = 8192

/** Rows [from, to) of a batch put into a leaf, which is replaced by those returned. */
export function mergeInto(leaf: Leaf | undefined, batch: Batch, from: number, to: number): Leaf[] {
	staged = 0
	const bytes = to - from < 16 ? 0 : batch.ends[to - 1]! - batch.starts[from]!
	if (!leaf) {
		for (let at = from; at < to; at++) putBatchRow(batch, at)
		return cut(LARGE, undefined, batch)
	}
	const { keys, keyEnds } = batch
	const rows = leaf.ends.length
	const firstStart = from === 0 ? 0 : keyEnds[from - 1]!
	const behind = compareToKey(keys, firstStart, keyEnds[from]!, leaf, rows - 1) > 0
	if (behind && (bytes >= SMALL || leaf.rows.length >= LARGE * 0.75)) {
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
