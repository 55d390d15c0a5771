import { bareType, type KeyBytes, type YdbType } from '@ydbackup/core'
import { canonicalValue } from './canonical.ts'
import { printDecimal, readInt128 } from './decimal.ts'
import { cellShape, SHAPE } from './shape.ts'
import { printUuid } from './uuid.ts'
import { after, readVarint, TAG_ITEMS, TAG_NULL } from './wire.ts'

const LONGEST = 64

/** A key, or its beginning, as short text for messages to people: `(42, "a…", NULL)`. Never throws. */
export function showKey(key: KeyBytes, types: readonly YdbType[]): string {
	const cells: string[] = []
	try {
		let p = 0
		while (p < key.length) {
			if (key[p] !== TAG_ITEMS) throw new Error('no cell')
			const length = readVarint(key, p + 1, key.length)
			const start = after
			p = start + length
			if (p > key.length) throw new Error('cut')
			cells.push(showCell(key, start, p, types[cells.length]!))
		}
	} catch {
		cells.push('unreadable')
	}
	return `(${cells.join(', ')})`
}

function showCell(key: Uint8Array, start: number, end: number, type: YdbType): string {
	const shape = cellShape(type, 'a key')
	const value = canonicalValue(key, start, end, shape)
	if (value[0] === TAG_NULL) return 'NULL'
	const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
	const bare = bareType(type)
	const name = bare.kind === 'primitive' ? bare.name : ''
	switch (shape.shape) {
		case SHAPE.bool:
			return value[1] === 0 ? 'false' : 'true'
		case SHAPE.fixed32: {
			const number = name.startsWith('Int') || name === 'Date32' ? view.getInt32(1, true) : view.getUint32(1, true)
			if (name === 'Date') return new Date(number * 86_400_000).toISOString().slice(0, 10)
			return name === 'Datetime' ? new Date(number * 1000).toISOString().replace('.000', '') : String(number)
		}
		case SHAPE.fixed64: {
			const unsigned = name === 'Uint64' || name === 'Timestamp'
			const number = unsigned ? view.getBigUint64(1, true) : view.getBigInt64(1, true)
			if (name !== 'Timestamp' || number > 253_402_300_799_999_999n) return String(number)
			const iso = new Date(Number(number / 1000n)).toISOString().slice(0, -1)
			return `${iso}${String(number % 1000n).padStart(3, '0')}Z`
		}
		case SHAPE.float:
			return String(view.getFloat32(1, true))
		case SHAPE.double:
			return String(view.getFloat64(1, true))
		case SHAPE.string:
		case SHAPE.pg:
			readVarint(value, 1, value.length)
			return showBytes(value.subarray(after))
		default: {
			const sixteen = new Uint8Array(16)
			sixteen.set(value.subarray(1, 9))
			sixteen.set(value.subarray(11), 8)
			return bare.kind === 'decimal' ? printDecimal(readInt128(sixteen, 0), bare.scale) : printUuid(sixteen, 0)
		}
	}
}

function showBytes(bytes: Uint8Array): string {
	const cut = bytes.length > LONGEST
	const shown = bytes.subarray(0, LONGEST)
	try {
		// A cut may fall inside a character: `stream` leaves the rest of it out.
		const text = new TextDecoder('utf-8', { fatal: true }).decode(shown, { stream: cut })
		return `${JSON.stringify(text)}${cut ? `… ${bytes.length} bytes` : ''}`
	} catch {
		return `0x${Buffer.from(shown).toString('hex')}${cut ? `… ${bytes.length} bytes` : ''}`
	}
}
