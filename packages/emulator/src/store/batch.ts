import { compareBytes } from './bytes.ts'

/** One change of a table: the row with one tag byte (any), length and `Ydb.Value`, or null for a deletion. */
export interface Entry {
	readonly key: Buffer
	readonly row: Buffer | null
}

/** Changes of a table side by side. A row that ends where it starts is a deletion. */
export interface Batch {
	readonly count: number
	readonly bytes: Buffer
	readonly starts: Uint32Array
	readonly ends: Uint32Array
	readonly keys: Buffer
	readonly keyEnds: Uint32Array
}

export function batchOf(entries: readonly Entry[]): Batch {
	const count = entries.length
	const starts = new Uint32Array(count)
	const ends = new Uint32Array(count)
	const keyEnds = new Uint32Array(count)
	let end = 0
	let keyEnd = 0
	for (let at = 0; at < count; at++) {
		const { key, row } = entries[at]!
		starts[at] = end
		ends[at] = end += row?.length ?? 0
		keyEnds[at] = keyEnd += key.length
	}
	const bytes = Buffer.allocUnsafe(end)
	const keys = Buffer.allocUnsafe(keyEnd)
	for (let at = 0; at < count; at++) {
		const { key, row } = entries[at]!
		row?.copy(bytes, starts[at])
		key.copy(keys, keyEnds[at]! - key.length)
	}
	return { count, bytes, starts, ends, keys, keyEnds }
}

export function entriesOf({ count, bytes, starts, ends, keys, keyEnds }: Batch): Entry[] {
	return Array.from({ length: count }, (_, at) => ({
		key: keys.subarray(at === 0 ? 0 : keyEnds[at - 1], keyEnds[at]),
		row: starts[at] === ends[at] ? null : bytes.subarray(starts[at], ends[at]),
	}))
}

/** The same changes in the order of their keys; of those with one key, the last stays. */
export function lastOfEachKeyIn(batch: Batch): Batch {
	const { count, keys, keyEnds } = batch
	const startOf = (at: number): number => (at === 0 ? 0 : keyEnds[at - 1]!)
	const compare = (a: number, b: number): number =>
		compareBytes(keys, startOf(a), keyEnds[a]!, keys, startOf(b), keyEnds[b]!)
	const order = Uint32Array.from({ length: count }, (_, at) => at).sort((a, b) => compare(a, b) || a - b)
	const kept = order.filter((at, place) => place === count - 1 || compare(at, order[place + 1]!) !== 0)
	const sortedKeys = Buffer.allocUnsafe(keys.length)
	const sortedEnds = new Uint32Array(kept.length)
	let end = 0
	for (let place = 0; place < kept.length; place++) {
		const at = kept[place]!
		end += keys.copy(sortedKeys, end, startOf(at), keyEnds[at])
		sortedEnds[place] = end
	}
	return {
		count: kept.length,
		bytes: batch.bytes,
		starts: kept.map((at) => batch.starts[at]!),
		ends: kept.map((at) => batch.ends[at]!),
		keys: sortedKeys.subarray(0, end),
		keyEnds: sortedEnds,
	}
}
