import { BackupError } from '@ydbackup/core'

/** A stretch of a message: `start` is its first byte, `end` the byte after its last. */
export interface Span {
	readonly start: number
	readonly end: number
}

/** One `items` entry of a list, tuple or struct value; also what a row is in a {@link RowChunk}. */
export const TAG_ITEMS = 0x62
/** One `rows` entry of a `Ydb.ResultSet`. */
export const TAG_ROWS = 0x12

export const TAG_BOOL = 0x08
export const TAG_INT32 = 0x15
export const TAG_UINT32 = 0x1d
export const TAG_INT64 = 0x21
export const TAG_UINT64 = 0x29
export const TAG_FLOAT = 0x35
export const TAG_DOUBLE = 0x39
export const TAG_BYTES = 0x42
export const TAG_TEXT = 0x4a
export const TAG_NULL = 0x50
export const TAG_NESTED = 0x5a
export const TAG_PAIRS = 0x6a
export const TAG_VARIANT_INDEX = 0x70
export const TAG_LOW_128 = 0x79
/** Field 16: two bytes on the wire, 0x81 0x01. */
export const TAG_HIGH_128 = 0x81

/** The error of bytes that are no message, or not the message that they should be. */
export function malformed(what: string): BackupError {
	return new BackupError('FORMAT_INVALID', `broken row bytes: ${what}`, {
		advice: 'the bytes were cut or changed on their way; take them from their origin again',
	})
}

/**
 * Where the last {@link readVarint} stopped. A position in a module instead of a cursor object: walking rows allocates nothing.
 */
export let after = 0

/** Reads a varint below 2^53 at `p`; {@link after} is the position behind it. Throws when it is cut or too long. */
export function readVarint(b: Uint8Array, p: number, end: number): number {
	if (p >= end) throw malformed('a number is cut off')
	let byte = b[p++]!
	if (byte < 0x80) {
		after = p
		return byte
	}
	let value = byte & 0x7f
	let scale = 128
	do {
		if (p >= end) throw malformed('a number is cut off')
		byte = b[p++]!
		value += (byte & 0x7f) * scale
		scale *= 128
	} while (byte >= 0x80 && scale <= 2 ** 49)
	if (byte >= 0x80) throw malformed('a length or tag is too large')
	after = p
	return value
}

/** The position behind the field whose tag was `tag` and whose payload begins at `p`. */
export function skipField(b: Uint8Array, p: number, end: number, tag: number): number {
	let next: number
	switch (tag & 7) {
		case 0:
			next = p
			for (;;) {
				if (next >= end || next - p > 9) throw malformed('a number is cut off')
				if (b[next++]! < 0x80) break
			}
			return next
		case 1:
			next = p + 8
			break
		case 2: {
			const length = readVarint(b, p, end)
			next = after + length
			break
		}
		case 5:
			next = p + 4
			break
		default:
			throw malformed(`wire type ${tag & 7} is not used by YDB`)
	}
	if (next > end) throw malformed('a field is longer than its message')
	return next
}

/** The payload of the first length-delimited field with this tag, for example 0x0a for field 1. */
export function findField(b: Uint8Array, span: Span, tag: number): Span | undefined {
	let p = span.start
	while (p < span.end) {
		const found = readVarint(b, p, span.end)
		p = after
		if (found === tag && (tag & 7) === 2) {
			const length = readVarint(b, p, span.end)
			if (after + length > span.end) throw malformed('a field is longer than its message')
			return { start: after, end: after + length }
		}
		p = skipField(b, p, span.end, found)
	}
	return undefined
}

/** Bytes that `value` takes as a varint. */
export function varintLength(value: number): number {
	let length = 1
	while (value >= 128) {
		value = Math.floor(value / 128)
		length++
	}
	return length
}

/** Writes `value` as a varint and returns the position behind it. */
export function writeVarint(b: Uint8Array, p: number, value: number): number {
	while (value >= 128) {
		b[p++] = (value % 128) | 128
		value = Math.floor(value / 128)
	}
	b[p++] = value
	return p
}

/** The bytes of a length-delimited field. */
export function lengthDelimited(tag: number, payload: Uint8Array): Uint8Array {
	const out = new Uint8Array(varintLength(tag) + varintLength(payload.length) + payload.length)
	const p = writeVarint(out, writeVarint(out, 0, tag), payload.length)
	out.set(payload, p)
	return out
}

/** A copy in memory of its own. `slice` of a Buffer would be no copy. */
export function copyBytes(b: Uint8Array, start: number, end: number): Uint8Array {
	const out = new Uint8Array(end - start)
	copyInto(out, 0, b, start, end)
	return out
}

/** Copies b[start, end) to `out` at `p`, and returns the position behind it. A call of `set` costs more than a few bytes. */
export function copyInto(out: Uint8Array, p: number, b: Uint8Array, start: number, end: number): number {
	if (end - start > 128) out.set(b.subarray(start, end), p)
	else for (let at = start; at < end; at++) out[p + at - start] = b[at]!
	return p + end - start
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
	let length = 0
	for (const part of parts) length += part.length
	const out = new Uint8Array(length)
	let p = 0
	for (const part of parts) {
		out.set(part, p)
		p += part.length
	}
	return out
}

/** Below this size memory may be a slice of a pool that others hold too. */
const SURELY_OWN = 64 << 10

/**
 * Gives memory back at once: left to the collector, large pieces make it run for nothing else. Only for pieces that have a memory of their
 * own and that nobody else holds; small ones are left to the collector.
 */
export function releaseBytes({ buffer, byteLength }: Uint8Array): void {
	if (byteLength >= SURELY_OWN && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
