import { BackupError, type ProtoField, type ProtoText, type ProtoValue } from '@ydbackup/core'
import {
	after,
	concatBytes,
	copyBytes,
	lengthDelimited,
	malformed,
	readVarint,
	skipField,
	varintLength,
	writeVarint,
} from './wire.ts'

type Coding =
	| 'bool'
	| 'i32'
	| 'u32'
	| 'i64'
	| 'u64'
	| 'float'
	| 'double'
	| 'bytes'
	| 'null'
	| 'value'
	| 'pair'
	| 'varint'

/** The fields of `Ydb.Value` in the order of their numbers, which is the order that YDB writes and prints. */
const FIELDS: readonly { readonly name: string; readonly tag: number; readonly coding: Coding }[] = [
	{ name: 'bool_value', tag: 0x08, coding: 'bool' },
	{ name: 'int32_value', tag: 0x15, coding: 'i32' },
	{ name: 'uint32_value', tag: 0x1d, coding: 'u32' },
	{ name: 'int64_value', tag: 0x21, coding: 'i64' },
	{ name: 'uint64_value', tag: 0x29, coding: 'u64' },
	{ name: 'float_value', tag: 0x35, coding: 'float' },
	{ name: 'double_value', tag: 0x39, coding: 'double' },
	{ name: 'bytes_value', tag: 0x42, coding: 'bytes' },
	{ name: 'text_value', tag: 0x4a, coding: 'bytes' },
	{ name: 'null_flag_value', tag: 0x50, coding: 'null' },
	{ name: 'nested_value', tag: 0x5a, coding: 'value' },
	{ name: 'items', tag: 0x62, coding: 'value' },
	{ name: 'pairs', tag: 0x6a, coding: 'pair' },
	{ name: 'variant_index', tag: 0x70, coding: 'varint' },
	{ name: 'low_128', tag: 0x79, coding: 'u64' },
	{ name: 'high_128', tag: 0x81, coding: 'u64' },
]
const BY_NAME = new Map(FIELDS.map((field) => [field.name, field]))
const BY_TAG = new Map(FIELDS.map((field) => [field.tag, field]))
const PAIR_FIELDS = [
	{ name: 'key', tag: 0x0a },
	{ name: 'payload', tag: 0x12 },
] as const
const DEEPEST = 32

/** The bytes of a `Ydb.Value` given as a tree of its fields, as `partition_at_keys` holds it. Throws `FORMAT_INVALID`. */
export function valueFromText(tree: ProtoText): Uint8Array {
	return encode(tree, 0)
}

function encode(tree: ProtoText, depth: number): Uint8Array {
	if (depth > DEEPEST) throw invalid('values lie too deep inside each other')
	for (const { name } of tree) if (!BY_NAME.has(name)) throw invalid(`Ydb.Value has no field "${name}"`)
	const parts: Uint8Array[] = []
	for (const { name, tag, coding } of FIELDS) {
		for (const field of tree) if (field.name === name) parts.push(encodeField(tag, coding, field, depth))
	}
	return concatBytes(parts)
}

function encodeField(tag: number, coding: Coding, { name, value }: ProtoField, depth: number): Uint8Array {
	if (coding === 'value' || coding === 'pair') {
		if (value.kind !== 'message') throw invalid(`${name} must be a message`)
		if (coding === 'value') return lengthDelimited(tag, encode(value.fields, depth + 1))
		const parts = PAIR_FIELDS.flatMap((pair) =>
			value.fields
				.filter((field) => field.name === pair.name && field.value.kind === 'message')
				.map((field) => {
					const fields = field.value.kind === 'message' ? field.value.fields : []
					return lengthDelimited(pair.tag, encode(fields, depth + 1))
				}),
		)
		return lengthDelimited(tag, concatBytes(parts))
	}
	if (coding === 'bytes') {
		if (value.kind !== 'bytes') throw invalid(`${name} must be a string`)
		return lengthDelimited(tag, value.bytes)
	}
	if (value.kind !== 'scalar') throw invalid(`${name} must be a plain value`)
	const { text } = value
	switch (coding) {
		case 'bool':
			if (!/^(?:true|false|t|f|True|False|0|1)$/.test(text)) throw invalid(`${name}: ${text}`)
			return Uint8Array.of(tag, /^(?:t|T|1)/.test(text) ? 1 : 0)
		case 'null':
			return Uint8Array.of(tag, 0)
		case 'varint': {
			const number = Number(integer(name, text, 0n, 0xffff_ffffn))
			const out = new Uint8Array(1 + varintLength(number))
			out[0] = tag
			writeVarint(out, 1, number)
			return out
		}
		case 'i32':
			return fixed(tag, 4, (view, p) =>
				view.setInt32(p, Number(integer(name, text, -(2n ** 31n), 2n ** 31n - 1n)), true),
			)
		case 'u32':
			return fixed(tag, 4, (view, p) => view.setUint32(p, Number(integer(name, text, 0n, 2n ** 32n - 1n)), true))
		case 'i64':
			return fixed(tag, 8, (view, p) => view.setBigInt64(p, integer(name, text, -(2n ** 63n), 2n ** 63n - 1n), true))
		case 'u64':
			return fixed(tag, 8, (view, p) => view.setBigUint64(p, integer(name, text, 0n, 2n ** 64n - 1n), true))
		case 'float':
			return fixed(tag, 4, (view, p) => view.setFloat32(p, float(name, text), true))
		default:
			return fixed(tag, 8, (view, p) => view.setFloat64(p, float(name, text), true))
	}
}

function fixed(tag: number, width: number, write: (view: DataView, p: number) => void): Uint8Array {
	const head = varintLength(tag)
	const out = new Uint8Array(head + width)
	writeVarint(out, 0, tag)
	write(new DataView(out.buffer), head)
	return out
}

function integer(name: string, text: string, low: bigint, high: bigint): bigint {
	const match = /^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text)
	if (match === null) throw invalid(`${name}: "${text}" is no integer`)
	const octal = /^0[0-7]+$/.test(match[2]!)
	const number = BigInt(octal ? `0o${match[2]!.slice(1)}` : match[2]!) * (match[1] === '-' ? -1n : 1n)
	if (number < low || number > high) throw invalid(`${name}: ${text} is out of range`)
	return number
}

function float(name: string, text: string): number {
	const lower = text.toLowerCase()
	if (/^-?nan$/.test(lower)) return Number.NaN
	if (/^-?inf(?:inity)?$/.test(lower)) return lower.startsWith('-') ? -Infinity : Infinity
	if (!/^-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?f?$/.test(lower)) throw invalid(`${name}: "${text}" is no number`)
	return Number(lower.replace(/f$/, ''))
}

/** The fields of a `Ydb.Value` as a tree, in the order of the bytes. Throws `FORMAT_INVALID` for broken bytes and unknown fields. */
export function valueToText(bytes: Uint8Array): ProtoText {
	return decode(bytes, 0, bytes.length, 0)
}

function decode(b: Uint8Array, start: number, end: number, depth: number): ProtoText {
	if (depth > DEEPEST) throw invalid('values lie too deep inside each other')
	const fields: ProtoField[] = []
	let p = start
	while (p < end) {
		const tag = readVarint(b, p, end)
		const payload = after
		const field = BY_TAG.get(tag)
		if (field === undefined) throw malformed(`Ydb.Value has no field with tag ${tag}`)
		p = skipField(b, payload, end, tag)
		fields.push({ name: field.name, value: decodeField(b, payload, p, field.coding, depth) })
	}
	return fields
}

function decodeField(b: Uint8Array, p: number, end: number, coding: Coding, depth: number): ProtoValue {
	const view = new DataView(b.buffer, b.byteOffset, b.byteLength)
	switch (coding) {
		case 'bool':
			return scalar(b[p] === 0 ? 'false' : 'true')
		case 'null':
			return scalar('NULL_VALUE')
		case 'varint':
			return scalar(String(readVarint(b, p, end)))
		case 'i32':
			return scalar(String(view.getInt32(p, true)))
		case 'u32':
			return scalar(String(view.getUint32(p, true)))
		case 'i64':
			return scalar(String(view.getBigInt64(p, true)))
		case 'u64':
			return scalar(String(view.getBigUint64(p, true)))
		case 'float':
			return scalar(printFloat(view.getFloat32(p, true)))
		case 'double':
			return scalar(printFloat(view.getFloat64(p, true)))
		case 'bytes':
			readVarint(b, p, end)
			return { kind: 'bytes', bytes: copyBytes(b, after, end) }
		case 'value':
			readVarint(b, p, end)
			return { kind: 'message', fields: decode(b, after, end, depth + 1) }
		case 'pair': {
			readVarint(b, p, end)
			return { kind: 'message', fields: decodePair(b, after, end, depth) }
		}
	}
}

function decodePair(b: Uint8Array, start: number, end: number, depth: number): ProtoText {
	const fields: ProtoField[] = []
	let p = start
	while (p < end) {
		const tag = readVarint(b, p, end)
		const name = PAIR_FIELDS.find((field) => field.tag === tag)?.name
		if (name === undefined) throw malformed(`Ydb.ValuePair has no field with tag ${tag}`)
		const length = readVarint(b, after, end)
		const from = after
		p = from + length
		if (p > end) throw malformed('a field is longer than its message')
		fields.push({ name, value: { kind: 'message', fields: decode(b, from, p, depth + 1) } })
	}
	return fields
}

function printFloat(value: number): string {
	if (Number.isNaN(value)) return 'nan'
	if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
	return Object.is(value, -0) ? '-0' : String(value)
}

function scalar(text: string): ProtoValue {
	return { kind: 'scalar', text }
}

function invalid(what: string): BackupError {
	return new BackupError('FORMAT_INVALID', `a Ydb.Value in text cannot be read: ${what}`, {
		advice: 'the file is damaged, or was written by something newer',
	})
}
