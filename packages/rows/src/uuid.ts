const HEX = '0123456789abcdef'
/** Text order of the sixteen stored bytes: the first three groups are little-endian numbers. */
const ORDER = [3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15]

/** The canonical text of a Uuid from its sixteen stored bytes (low_128, then high_128). Source: YDB, `essentials/types/uuid`. */
export function printUuid(b: Uint8Array, p: number): string {
	let text = ''
	for (const at of ORDER) text += at < 0 ? '-' : HEX[b[p + at]! >>> 4]! + HEX[b[p + at]! & 15]!
	return text
}
