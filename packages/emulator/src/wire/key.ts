import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'
import type { ColumnType } from './column-type.ts'
import { compareBytes } from '../store/bytes.ts'
import { isNull, payloadEnd, payloadStart, readCell, wide } from './cell.ts'

let out = Buffer.allocUnsafe(1 << 16)
let length = 0
/** How many bytes {@link addKeyCell} has written since {@link startKey}. */
export let keyBytes = 0

function room(more: number): void {
	if (length + more <= out.length) return
	const bigger = Buffer.allocUnsafe(Math.max(out.length * 2, length + more))
	out.copy(bigger, 0, 0, length)
	out = bigger
}

export function startKey(): void {
	length = 0
	keyBytes = 0
}

/** What was written since that place: valid until the next cell is added. */
export function keyPart(start: number): Buffer {
	return out.subarray(start, length)
}

/** Whether the key that was written last, from `start`, stands behind the one before it. */
export function lastKeyRises(previous: number, start: number): boolean {
	return compareBytes(out, previous, start, out, start, length) < 0
}

/** The key so far, in a buffer of its own. Keys compare by memcmp as YDB compares the tuples. */
export function finishKey(): Buffer {
	return Buffer.from(out.subarray(0, length))
}

function bigEndian(bytes: Uint8Array, start: number, width: number, flipSign: boolean): void {
	for (let at = width - 1; at >= 0; at--) out[length++] = bytes[start + at]!
	if (flipSign) out[length - width]! ^= 0x80
}

const SIGNED = new Set([0x15, 0x21])

/** A DyNumber as bytes that order like the numbers. */
function dyNumberKey(text: string): Buffer {
	const found = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text)!
	const digits = `${found[2]}${found[3]}`
	const trimmed = digits.replace(/^0+/, '')
	const significant = trimmed.replace(/0+$/, '')
	if (significant === '') return Buffer.from([1])
	const exponent = Number(found[4] ?? 0) + found[2]!.length - (digits.length - trimmed.length) + 1000
	const body = Buffer.concat([Buffer.from([exponent >> 8, exponent & 255]), Buffer.from(significant)])
	if (found[1] !== '-') return Buffer.concat([Buffer.from([2]), body, Buffer.from([0])])
	return Buffer.concat([Buffer.from([0]), body.map((byte) => 255 - byte), Buffer.from([255])])
}

/** Appends one cell of a key. */
export function addKeyCell(bytes: Uint8Array, start: number, end: number, type: ColumnType, column: string): void {
	addCell(bytes, start, end, type, column)
	keyBytes = length
}

function addCell(bytes: Uint8Array, start: number, end: number, type: ColumnType, column: string): void {
	readCell(bytes, start, end, type, column)
	if (isNull) {
		room(1)
		out[length++] = 0
		return
	}
	const size = payloadEnd - payloadStart
	room(size * 2 + 40)
	out[length++] = 1
	if (type.decimal || type.id === Id.UUID) {
		const [low, high] = wide(bytes, start, end)
		if (type.decimal) {
			out.writeBigUInt64BE(high ^ (1n << 63n), length)
			out.writeBigUInt64BE(low, length + 8)
		} else {
			// As the bytes lie in memory on the server: little-endian halves. Not verified against a server.
			out.writeBigUInt64LE(low, length)
			out.writeBigUInt64LE(high, length + 8)
		}
		length += 16
	} else if (type.id === Id.BOOL) out[length++] = bytes[payloadStart]!
	else if (type.id === Id.DYNUMBER) {
		const key = dyNumberKey(Buffer.from(bytes.subarray(payloadStart, payloadEnd)).toString())
		room(key.length)
		length += key.copy(out, length)
	} else if (type.tag === 0x42 || type.tag === 0x4a) {
		for (let at = payloadStart; at < payloadEnd; at++) {
			const byte = bytes[at]!
			out[length++] = byte
			if (byte === 0) out[length++] = 255
		}
		out[length++] = 0
		out[length++] = 0
	} else bigEndian(bytes, payloadStart, size, SIGNED.has(type.tag))
}
