import { frameRow } from '../services/bulk-upsert.ts'
import { framed } from '../yql/datum.ts'

export function uint64Cell(value: bigint): Buffer {
	const bytes = Buffer.allocUnsafe(8)
	bytes.writeBigUInt64LE(value)
	return framed(0x62, [Buffer.of(0x29), bytes])
}

export function bytesCell(value: Buffer): Buffer {
	return framed(0x62, [framed(0x42, [value])])
}

export function boolCell(value: boolean): Buffer {
	return framed(0x62, [Buffer.of(0x08, value ? 1 : 0)])
}

export const NULL: Buffer = framed(0x62, [Buffer.of(0x50, 0)])

export const isNullCell = (cell: Buffer): boolean => cell[2] === 0x50

export const cellsRow: (cells: readonly Uint8Array[]) => Buffer = frameRow
