/** Why a string of protobuf text cannot be read. */
export interface BadEscape {
	/** Position of the escape. */
	readonly at: number
	readonly what: string
}

const SINGLE: Readonly<Record<string, number>> = {
	a: 0x07,
	b: 0x08,
	f: 0x0c,
	n: 0x0a,
	r: 0x0d,
	t: 0x09,
	v: 0x0b,
	'\\': 0x5c,
	"'": 0x27,
	'"': 0x22,
	'?': 0x3f,
}

const LONGEST_ESCAPE = 21

/** The bytes that stand between quotes at [start, end) of a text. */
export function unescapeBytes(text: Uint8Array, start: number, end: number): Uint8Array | BadEscape {
	const out = new Uint8Array(end - start)
	let length = 0
	let p = start
	while (p < end) {
		const byte = text[p]!
		if (byte !== 0x5c) {
			out[length++] = byte
			p++
			continue
		}
		const escape = readEscape(Buffer.from(text.subarray(p, Math.min(end, p + LONGEST_ESCAPE))).toString('latin1'))
		if (escape === undefined) return { at: p, what: 'this escape is not known' }
		out.set(escape.bytes, length)
		length += escape.bytes.length
		p += escape.length
	}
	return out.slice(0, length)
}

interface Escape {
	readonly bytes: Uint8Array | readonly number[]
	/** Of the spelling. */
	readonly length: number
}

function readEscape(text: string): Escape | undefined {
	const single = Object.hasOwn(SINGLE, text.charAt(1)) ? SINGLE[text.charAt(1)] : undefined
	if (single !== undefined) return { bytes: [single], length: 2 }
	const byte = /^\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2}))/u.exec(text)
	if (byte !== null) {
		const value = byte[1] === undefined ? Number.parseInt(byte[2]!, 16) : Number.parseInt(byte[1], 8)
		return value > 0xff ? undefined : { bytes: [value], length: byte[0].length }
	}
	const pair = /^\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})/iu.exec(text)
	const point = /^\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/u.exec(text)
	const found = pair ?? point
	if (found === null) return undefined
	const first = Number.parseInt(found[1] ?? found[2]!, 16)
	const value = pair === null ? first : 0x10000 + ((first - 0xd800) << 10) + (Number.parseInt(pair[2]!, 16) - 0xdc00)
	if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return undefined
	return { bytes: Buffer.from(String.fromCodePoint(value)), length: found[0].length }
}
