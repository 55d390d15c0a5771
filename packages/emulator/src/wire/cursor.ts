import { YdbError } from '../error.ts'

/** Reads protobuf wire format. Plain functions over a module-level position: the hot loops of bulk writes run through here. */
export let position = 0

export function seek(at: number): void {
	position = at
}

export function varint(bytes: Uint8Array): number {
	let value = 0
	let factor = 1
	for (;;) {
		if (position >= bytes.length) throw new YdbError('BAD_REQUEST', 'truncated message')
		const byte = bytes[position++]!
		value += (byte & 127) * factor
		if (byte < 128) return value
		factor *= 128
	}
}

export function skip(bytes: Uint8Array, tag: number): void {
	switch (tag & 7) {
		case 0:
			varint(bytes)
			break
		case 1:
			position += 8
			break
		case 2: {
			const length = varint(bytes)
			position += length
			break
		}
		case 5:
			position += 4
			break
		default:
			throw new YdbError('BAD_REQUEST', `wire type ${tag & 7} is not known`)
	}
	if (position > bytes.length) throw new YdbError('BAD_REQUEST', 'truncated message')
}

export interface Span {
	readonly start: number
	readonly end: number
}

/** Every length-delimited field with that tag byte, directly in a message. */
export function* fields(bytes: Uint8Array, span: Span, wanted: number): Generator<Span> {
	let at = span.start
	while (at < span.end) {
		seek(at)
		const tag = varint(bytes)
		if (tag === wanted) {
			const length = varint(bytes)
			const start = position
			at = start + length
			if (at > span.end) throw new YdbError('BAD_REQUEST', 'truncated message')
			yield { start, end: at }
		} else {
			skip(bytes, tag)
			at = position
		}
	}
}

export function field(bytes: Uint8Array, span: Span, wanted: number): Span | undefined {
	for (const found of fields(bytes, span, wanted)) return found
	return undefined
}

export function varintBytes(value: number): number {
	let count = 1
	for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) count++
	return count
}

/** Writes a varint and returns the position behind it. */
export function putVarint(out: Uint8Array, at: number, value: number): number {
	let rest = value
	while (rest > 127) {
		out[at++] = (rest % 128) | 128
		rest = Math.floor(rest / 128)
	}
	out[at++] = rest
	return at
}
