import {
	bareType,
	BackupError,
	isBackupError,
	type KeyBytes,
	type PrimitiveName,
	type TableSchema,
	type YdbType,
} from '@ydbackup/core'
import { createKeyComparator, createKeyReader, keyColumns, keyTypes, readVarint, varintEnd } from '@ydbackup/rows'

/** The payload of a row inside of a chunk: [start, end). */
export interface RowSpan {
	readonly start: number
	readonly end: number
}

const ITEMS = 0x62
const NULL = 0x50
const BYTES = 0x42
const TEXT = 0x4a
const LOW_128 = 0x79
const HIGH_128 = 0x81

/** How the cells of a key column are compared in place; everything else is compared as keys by the rows room. */
type Kind = 'unsigned64' | 'signed64' | 'unsigned32' | 'signed32' | 'string' | 'uuid' | 'decimal' | 'other'

/** Tag of a fixed value by kind. Source: `Ydb.Value` in protos/ydb_value.proto. */
const TAGS: Readonly<Record<Kind, number>> = {
	unsigned64: 0x29,
	signed64: 0x21,
	unsigned32: 0x1d,
	signed32: 0x15,
	string: 0,
	uuid: LOW_128,
	decimal: LOW_128,
	other: 0,
}

const KINDS: Readonly<Partial<Record<PrimitiveName, Kind>>> = {
	Uint64: 'unsigned64',
	Timestamp: 'unsigned64',
	Int64: 'signed64',
	Interval: 'signed64',
	Datetime64: 'signed64',
	Timestamp64: 'signed64',
	Interval64: 'signed64',
	Uint8: 'unsigned32',
	Uint16: 'unsigned32',
	Uint32: 'unsigned32',
	Date: 'unsigned32',
	Datetime: 'unsigned32',
	Int8: 'signed32',
	Int16: 'signed32',
	Int32: 'signed32',
	Date32: 'signed32',
	String: 'string',
	Utf8: 'string',
	Uuid: 'uuid',
}

function kindOf(type: YdbType): Kind {
	const bare = bareType(type)
	if (bare.kind === 'decimal') return 'decimal'
	return (bare.kind === 'primitive' && KINDS[bare.name]) || 'other'
}

/** What {@link compareCells} answers when it cannot tell. */
const UNSURE = 2

function compareStrings(b: Uint8Array, p: number, q: number): number {
	const pLength = b[p + 3]!
	const qLength = b[q + 3]!
	// Lengths of one byte only, which agree with the lengths of their cells; longer strings go the general way.
	if (b[p + 1]! >= 0x80 || b[q + 1]! >= 0x80 || b[p + 1] !== pLength + 2 || b[q + 1] !== qLength + 2) return UNSURE
	const shared = pLength < qLength ? pLength : qLength
	p += 4
	q += 4
	for (let i = 0; i < shared; i++) if (b[p + i] !== b[q + i]) return b[p + i]! < b[q + i]! ? -1 : 1
	return pLength === qLength ? 0 : pLength < qLength ? -1 : 1
}

function word(b: Uint8Array, p: number): number {
	return b[p]! | (b[p + 1]! << 8) | (b[p + 2]! << 16) | (b[p + 3]! << 24)
}

function order(a: number, b: number): number {
	return a < b ? -1 : a > b ? 1 : 0
}

/** The order of eight bytes as a little-endian number. */
function order64(b: Uint8Array, p: number, q: number, isSigned: boolean): number {
	const left = word(b, p + 4)
	const right = word(b, q + 4)
	if (left !== right) return isSigned ? order(left, right) : order(left >>> 0, right >>> 0)
	return order(word(b, p) >>> 0, word(b, q) >>> 0)
}

/** Sixteen bytes in two halves; cells that leave out a half of zero go the general way. */
function compareHalves(b: Uint8Array, p: number, q: number, kind: Kind): number {
	if (b[p + 1] !== 19 || b[q + 1] !== 19 || b[p + 11] !== HIGH_128 || b[q + 11] !== HIGH_128) return UNSURE
	if (kind === 'decimal') return order64(b, p + 13, q + 13, true) || order64(b, p + 3, q + 3, false)
	for (let i = 3; i < 21; i++) if (b[p + i] !== b[q + i]) return order(b[p + i]!, b[q + i]!)
	return 0
}

/** The order of two cells that begin at `p` and `q`: -1, 0, 1, or {@link UNSURE}. */
function compareCells(b: Uint8Array, p: number, q: number, kind: Kind, tag: number): number {
	const pTag = b[p + 2]!
	const qTag = b[q + 2]!
	if (pTag === NULL || qTag === NULL) {
		if (b[p + 1]! < 2 || b[q + 1]! < 2) return UNSURE
		return pTag === qTag ? 0 : pTag === NULL ? -1 : 1
	}
	if (pTag !== qTag) return UNSURE
	if (pTag === BYTES || pTag === TEXT) return kind === 'string' ? compareStrings(b, p, q) : UNSURE
	if (pTag !== tag) return UNSURE
	if (tag === LOW_128) return compareHalves(b, p, q, kind)
	if (kind === 'unsigned32' || kind === 'signed32') {
		if (b[p + 1] !== 5 || b[q + 1] !== 5) return UNSURE
		const left = word(b, p + 3)
		const right = word(b, q + 3)
		return kind === 'signed32' ? order(left, right) : order(left >>> 0, right >>> 0)
	}
	if (b[p + 1] !== 9 || b[q + 1] !== 9) return UNSURE
	return order64(b, p + 3, q + 3, kind === 'signed64')
}

/**
 * A search for the first row of a chunk's bytes whose key does not stand behind the key of the row before it. It walks key cells
 * alone and allocates nothing for keys of numbers, times and short strings. Errors: `DATABASE_REFUSED` for broken bytes.
 */
export function createRiseCheck(schema: TableSchema): (bytes: Uint8Array) => RowSpan | undefined {
	const columns = keyColumns(schema)
	const types = keyTypes(schema)
	const kinds = types.map(kindOf)
	const tags = kinds.map((kind) => TAGS[kind])
	const width = columns.length
	const needed = Math.max(...columns) + 1
	const key = createKeyReader(schema)
	const compare = createKeyComparator(types)
	/** Where the key columns' cells of a row begin; the last two are the row's own span. */
	let before = new Int32Array(width + 2)
	let here = new Int32Array(width + 2)
	const places = new Int32Array(needed).fill(-1)
	for (const [position, column] of columns.entries()) places[column] = position

	let general: { readonly row: number; readonly key: KeyBytes } | undefined
	const asKeys = (b: Uint8Array): boolean => {
		const last = general?.row === before[width] ? general!.key : key.read(b, before[width]!, before[width + 1]!)
		general = { row: here[width]!, key: key.read(b, here[width]!, here[width + 1]!) }
		return compare(last, general.key) < 0
	}

	const rises = (b: Uint8Array): boolean => {
		for (let at = 0; at < width; at++) {
			const kind = kinds[at]!
			const found = kind === 'other' ? UNSURE : compareCells(b, before[at]!, here[at]!, kind, tags[at]!)
			if (found === UNSURE) return asKeys(b)
			if (found !== 0) return found < 0
		}
		return false
	}

	/** Finds the key columns' cells of the row in [start, end). */
	function locate(b: Uint8Array, start: number, end: number, into: Int32Array): void {
		let q = start
		for (let column = 0; column < needed; column++) {
			if (q >= end || b[q] !== ITEMS) throw broken()
			const place = places[column]!
			if (place >= 0) into[place] = q
			const length = b[q + 1]!
			q = length < 0x80 ? q + 2 + length : readVarint(b, q + 1, end) + varintEnd
		}
		if (q > end) throw broken()
		into[width] = start
		into[width + 1] = end
	}

	// Most keys begin with the first column, and most neighbours differ in it: then nothing else of a row is looked at.
	const leadKind = columns[0] === 0 ? kinds[0]! : 'other'
	const leadTag = tags[0]!

	function search(b: Uint8Array): RowSpan | undefined {
		let lastStart = -1
		let lastEnd = -1
		before[width] = -1
		general = undefined
		for (let p = 0; p < b.length; p = lastEnd) {
			let length = b[p + 1]!
			let start = p + 2
			if (length >= 0x80) {
				length = readVarint(b, p + 1, b.length)
				start = varintEnd
			}
			const end = start + length
			if (lastStart >= 0 && !(leadKind !== 'other' && leads(b, lastStart, start))) {
				if (before[width] !== lastStart) locate(b, lastStart, lastEnd, before)
				locate(b, start, end, here)
				if (!rises(b)) return { start, end }
				const swap = before
				before = here
				here = swap
			}
			lastStart = start
			lastEnd = end
		}
		return undefined
	}

	function leads(b: Uint8Array, p: number, q: number): boolean {
		return b[p] === ITEMS && b[q] === ITEMS && compareCells(b, p, q, leadKind, leadTag) === -1
	}

	return (b) => {
		try {
			return search(b)
		} catch (error) {
			throw isBackupError(error, 'FORMAT_INVALID') ? broken(error) : error
		}
	}
}

function broken(cause?: BackupError): BackupError {
	return new BackupError('DATABASE_REFUSED', 'the database sent rows that cannot be read: a key is cut off', {
		retry: 'later',
		advice: 'read again; when it happens again, something between the database and this program changes bytes',
		cause,
	})
}
