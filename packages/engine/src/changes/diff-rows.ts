import {
	BackupError,
	type Change,
	type ChangedColumn,
	type KeyBytes,
	type RowChunk,
	spellType,
	type TableSchema,
} from '@ydbackup/core'
import {
	canonicalValue,
	cellShape,
	type CellShape,
	createKeyComparator,
	createKeyReader,
	keyColumns,
	type KeyReader,
	keyTypes,
	readVarint,
	TAG_ITEMS,
	TAG_NULL,
	varintEnd,
} from '@ydbackup/rows'
import type { Balance } from './balance.ts'
import { RowCursor } from './row-cursor.ts'

/** Rows of one table in key order, and what is needed to read them. */
export interface OrderedRows {
	readonly schema: TableSchema
	readonly chunks: AsyncIterable<RowChunk>
	/** Nobody else holds the chunks: each may be given back when the next one is there. */
	readonly isGivenUp?: boolean | undefined
}

const BATCH = 64
const BATCH_BYTES = 256 << 10

/**
 * What must be done to the rows `before` so that they are the rows `after`, in key order, in batches of at most 64 changes and not much more than 256 KiB: new rows as
 * `replace`, rows that are gone as `erase`, others as `upsert` of the columns that differ. Both sides are read once, side by side,
 * in bounded memory; old rows are spelt as our readers spell rows, or as the new ones are. Columns are the same by name and type: one that was added, or has another type now, differs in every row where
 * it is not NULL; one that was dropped is not spoken of. `balance` is told of all rows that are not the same bytes on both sides.
 *
 * Rows of the side after must rise from chunk to chunk; within a chunk it is found out here, but for rows that are the same bytes on both sides:
 * they are as good as those before, which the balance proves.
 *
 * Errors: `CHAIN_BROKEN` (`schema-changed`) when the key is another one; `ROWS_OUT_OF_ORDER` when a side does not rise.
 */
export async function* diffRows(
	path: string,
	before: OrderedRows,
	after: OrderedRows,
	balance?: Balance,
): AsyncGenerator<readonly Change[]> {
	checkKeys(path, before.schema, after.schema)
	const compare = createKeyComparator(keyTypes(after.schema))
	const oldKeys = createKeyReader(before.schema)
	const nowKeys = createKeyReader(after.schema)
	const readChange = columnsThatDiffer(before.schema, after.schema)
	const isSameShape = sameColumns(before.schema, after.schema)
	await using old = new RowCursor(before.chunks, before.isGivenUp)
	await using now = new RowCursor(after.chunks, after.isGivenUp)
	let batch: Change[] = []
	/** Bytes of the rows that its changes were read from: no less than theirs. */
	let size = 0

	/** Keys are read of rows that are not the same bytes on both sides. */
	let oldKey: KeyBytes | undefined
	let nowKey: KeyBytes | undefined
	let lastKey: KeyBytes | undefined
	let isBehindSame = false
	const keyOf = ({ bytes, start, end }: RowCursor, keys: KeyReader): KeyBytes => keys.read(bytes, start, end)

	/** No key is spoken of twice: where a side does not rise, changes that balance could still be wrong. */
	function assertRises(key: KeyBytes): void {
		if (lastKey !== undefined && compare(lastKey, key) >= 0) throw outOfOrder(path)
		lastKey = key
	}

	/** The key of a row of after. Of the row before it no key was read where it passed as the same: it must be the lower one all the same. */
	function nextKey(): KeyBytes {
		const key = keyOf(now, nowKeys)
		const { bytes, before: place, frame } = now
		if (isBehindSame && place >= 0) {
			readVarint(bytes, place + 1, frame)
			if (compare(nowKeys.read(bytes, varintEnd, frame), key) >= 0) throw outOfOrder(path)
		}
		isBehindSame = false
		return key
	}

	let [hasOld, hasNow] = await Promise.all([old.load(), now.load()])
	while (hasOld || hasNow) {
		let order = 0
		const same = isSameShape && hasOld && hasNow ? sameBytes(old, now) : 0
		// Where the bytes are the same, so are the rows.
		const last = same === 0 ? undefined : now.lastWithin(same)
		if (last !== undefined) {
			old.skip(last)
			now.skip(last)
			isBehindSame = true
		} else {
			if (hasNow) nowKey ??= nextKey()
			if (hasOld) oldKey ??= keyOf(old, oldKeys)
			order = !hasOld ? 1 : !hasNow ? -1 : compare(oldKey!, nowKey!)
			if (order <= 0) balance?.went(old.bytes, old.frame, old.end)
			if (order >= 0) balance?.came(now.bytes, now.frame, now.end)
			assertRises(order < 0 ? oldKey! : nowKey!)
			if (order < 0) batch.push({ op: 'erase', key: oldKey! })
			else {
				const columns = readChange(order === 0 ? old : undefined, now)
				if (order > 0) batch.push({ op: 'replace', key: nowKey!, columns })
				else if (columns.length > 0) batch.push({ op: 'upsert', key: nowKey!, columns })
			}
			if (order >= 0) size += now.end - now.start
			if (batch.length === BATCH || size >= BATCH_BYTES) {
				if (batch.length > 0) yield batch
				batch = []
				size = 0
			}
		}
		if (order <= 0) {
			oldKey = undefined
			if (!old.next()) hasOld = await old.load()
		}
		if (order >= 0) {
			nowKey = undefined
			if (!now.next()) hasNow = await now.load()
		}
	}
	if (batch.length > 0) yield batch
}

/** The error of rows that do not rise. */
export function outOfOrder(path: string): BackupError {
	return new BackupError('ROWS_OUT_OF_ORDER', `${path}: rows do not come in the order of their keys`)
}

function checkKeys(path: string, before: TableSchema, after: TableSchema): void {
	const was = spellKey(before)
	const is = spellKey(after)
	if (was === is) return
	throw new BackupError('CHAIN_BROKEN', `${path}: its key was (${was}) and is (${is}) now`, {
		reason: 'schema-changed',
		advice: 'take a full backup: a new chain begins with it',
	})
}

/** Names and types of the key's columns, in its order: tables with the same text have the same key. */
export function spellKey(schema: TableSchema): string {
	return keyColumns(schema)
		.map((index) => `${schema.columns[index]!.name} ${spellType(schema.columns[index]!.type)}`)
		.join(', ')
}

/** Whether both have the same columns in the same order. */
export function sameColumns(before: TableSchema, after: TableSchema): boolean {
	return (
		before.columns.length === after.columns.length &&
		before.columns.every(({ name, type }, index) => {
			const other = after.columns[index]!
			return other.name === name && spellType(other.type) === spellType(type)
		})
	)
}

const FIRST_LOOK = 64

/**
 * How many bytes from their rows on the chunks have in common. Equal bytes are equal rows; other bytes may be equal rows in another
 * spelling: the slow way finds out. Looks at twice as much at a time, as long as it is the same.
 */
function sameBytes(a: RowCursor, b: RowCursor): number {
	const most = Math.min(a.bytes.length - a.frame, b.bytes.length - b.frame)
	let same = 0
	let look = FIRST_LOOK
	let isGrowing = true
	while (same < most) {
		const p = a.frame + same
		const q = b.frame + same
		const length = Math.min(look, most - same)
		if (a.bytes.compare(b.bytes, q, q + length, p, p + length) === 0) same += length
		else if (length <= FIRST_LOOK) {
			let at = 0
			while (a.bytes[p + at] === b.bytes[q + at]) at++
			return same + at
		} else isGrowing = false
		look = isGrowing ? look * 2 : Math.max(FIRST_LOOK, look >> 1)
	}
	return same
}

/** Values of columns that are not of the key: those that differ from the old row, or all when there is none. */
function columnsThatDiffer(
	before: TableSchema,
	after: TableSchema,
): (old: RowCursor | undefined, now: RowCursor) => ChangedColumn[] {
	const keys = new Set(keyColumns(after))
	const oldIndex = new Map(before.columns.map(({ name, type }, index) => [`${name} ${spellType(type)}`, index]))
	const columns = after.columns.flatMap(({ name, type }, at) =>
		keys.has(at) ? [] : [{ name, at, oldAt: oldIndex.get(`${name} ${spellType(type)}`), shape: cellShape(type, name) }],
	)
	const cells = new Cells(after.columns.length)
	const oldCells = new Cells(before.columns.length)
	return (old, now) => {
		cells.open(now)
		if (old !== undefined) oldCells.open(old)
		const found: ChangedColumn[] = []
		for (const { name, at, oldAt, shape } of columns) {
			if (old !== undefined && oldAt !== undefined && cells.isSame(at, oldCells, oldAt)) continue
			const value = cells.value(at, shape)
			if (old !== undefined && (oldAt === undefined ? value[0] === TAG_NULL : oldCells.holds(oldAt, value))) continue
			found.push({ name, value })
		}
		return found
	}
}

/** Where the cells of a row lie. */
class Cells {
	readonly #starts: Int32Array
	readonly #ends: Int32Array
	#bytes: Buffer = Buffer.alloc(0)

	constructor(columns: number) {
		this.#starts = new Int32Array(columns)
		this.#ends = new Int32Array(columns)
	}

	open({ bytes, start, end }: RowCursor): void {
		const columns = this.#starts.length
		let cell = 0
		for (let p = start; p < end; cell++) {
			if (bytes[p] !== TAG_ITEMS) throw new BackupError('FORMAT_INVALID', 'a row holds something else than cells')
			const length = readVarint(bytes, p + 1, end)
			p = varintEnd + length
			this.#starts[cell] = p - length
			this.#ends[cell] = p
		}
		if (cell !== columns) {
			throw new BackupError('FORMAT_INVALID', `a row has ${cell} cells where ${columns} were expected`)
		}
		this.#bytes = bytes
	}

	isSame(at: number, other: Cells, otherAt: number): boolean {
		return this.#is(at, other.#bytes, other.#starts[otherAt]!, other.#ends[otherAt]!)
	}

	holds(at: number, value: Uint8Array): boolean {
		return this.#is(at, value, 0, value.length)
	}

	#is(at: number, value: Uint8Array, from: number, to: number): boolean {
		const start = this.#starts[at]!
		if (this.#ends[at]! - start !== to - from) return false
		for (let p = from; p < to; p++) if (this.#bytes[start + p - from] !== value[p]) return false
		return true
	}

	/** In its one spelling, and in memory of its own: a change may be kept longer than the chunk. */
	value(at: number, shape: CellShape): Uint8Array {
		return canonicalValue(this.#bytes, this.#starts[at]!, this.#ends[at]!, shape)
	}
}
