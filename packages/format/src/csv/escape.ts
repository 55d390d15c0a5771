/**
 * Percent-escaping of strings as YDB writes them: a space is `+`; letters, digits and `!$*-./;@_~` stand for themselves; every other
 * byte is `%XX` in upper case. Source: `library/cpp/string_utils/quote/quote.cpp` (CGIEscape), current table: `^` is escaped.
 */
const BARE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$*-./;@_~'
const DIGITS = '0123456789ABCDEF'

/** For each byte its text as up to four bytes in one little-endian word, and how many of them count. */
export const ESCAPED: Int32Array = new Int32Array(256)
export const ESCAPED_LENGTH: Uint8Array = new Uint8Array(256).fill(3)

for (let byte = 0; byte < 256; byte++) {
	ESCAPED[byte] = 0x25 | (DIGITS.charCodeAt(byte >>> 4) << 8) | (DIGITS.charCodeAt(byte & 15) << 16)
}
for (const char of BARE) {
	ESCAPED[char.charCodeAt(0)] = char.charCodeAt(0)
	ESCAPED_LENGTH[char.charCodeAt(0)] = 1
}
ESCAPED[0x20] = 0x2b
ESCAPED_LENGTH[0x20] = 1

/** What the reader does with a byte inside of quotes. `high` is a raw byte above 0x7f: taken as it is, but UTF-8 must be checked. */
export const PLAIN = 0
export const PERCENT = 1
export const PLUS = 2
export const HIGH = 3
export const STOP = 4
export const READ_CLASS: Uint8Array = new Uint8Array(256)
READ_CLASS.fill(HIGH, 128)
READ_CLASS[0x25] = PERCENT
READ_CLASS[0x2b] = PLUS
READ_CLASS[0x2c] = STOP
READ_CLASS[0x0a] = STOP

/** The value of a hexadecimal digit of any case, or -1. */
export const HEX_VALUE: Int8Array = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) {
	HEX_VALUE[DIGITS.charCodeAt(value)] = value
	HEX_VALUE[DIGITS.toLowerCase().charCodeAt(value)] = value
}

/** The length of bytes once escaped. */
export function escapedLength(b: Uint8Array, start: number, end: number): number {
	let length = 0
	for (let p = start; p < end; p++) length += ESCAPED_LENGTH[b[p]!]!
	return length
}
