/**
 * Percent-escaping of strings as YDB writes them: a space is `+`; letters, digits and `!$*-./;@_~` stand for themselves; every other
 * byte is `%XX` in upper case. Source: `library/cpp/string_utils/quote/quote.cpp` (CGIEscape), current table: `^` is escaped.
 */
const BARE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$*-./;@_~'
const DIGITS = '0123456789ABCDEF'

/** For each byte its text in the lower three bytes of a word, the first character lowest, and in the upper byte how many of them count. */
export const ESCAPED: Int32Array = new Int32Array(256)

for (let byte = 0; byte < 256; byte++) {
	ESCAPED[byte] = 0x0300_0025 | (DIGITS.charCodeAt(byte >>> 4) << 8) | (DIGITS.charCodeAt(byte & 15) << 16)
}
for (const char of BARE) ESCAPED[char.charCodeAt(0)] = 0x0100_0000 | char.charCodeAt(0)
ESCAPED[0x20] = 0x0100_002b

/** The value of a hexadecimal digit of any case, or -1. */
export const HEX_VALUE: Int8Array = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) {
	HEX_VALUE[DIGITS.charCodeAt(value)] = value
	HEX_VALUE[DIGITS.toLowerCase().charCodeAt(value)] = value
}

/** The length of bytes once escaped. */
export function escapedLength(b: Uint8Array, start: number, end: number): number {
	let length = 0
	for (let p = start; p < end; p++) length += ESCAPED[b[p]!]! >>> 24
	return length
}
