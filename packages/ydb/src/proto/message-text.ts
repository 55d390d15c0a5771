import {
	create,
	type DescEnum,
	type DescField,
	type DescMessage,
	isFieldSet,
	type Message,
	ScalarType,
} from '@bufbuild/protobuf'
import { BackupError, type ProtoField, type ProtoText, type ProtoValue } from '@ydbackup/core'

type Fields = Record<string, unknown>

interface UnknownField {
	readonly no: number
	readonly wireType: number
	readonly data: Uint8Array
}

const utf8 = new TextEncoder()
const message = (fields: ProtoText): ProtoValue => ({ kind: 'message', fields })
const scalar = (text: string): ProtoValue => ({ kind: 'scalar', text })
const bytes = (value: Uint8Array): ProtoValue => ({ kind: 'bytes', bytes: value })

/** A number as C++ prints a float or double in text format. */
function floating(value: number): string {
	if (Number.isNaN(value)) return 'nan'
	if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
	return Object.is(value, -0) ? '-0' : String(value)
}

function scalarText(type: ScalarType, value: unknown): ProtoValue {
	if (type === ScalarType.STRING) return bytes(utf8.encode(value as string))
	if (type === ScalarType.BYTES) return bytes(value as Uint8Array)
	if (type === ScalarType.FLOAT || type === ScalarType.DOUBLE) return scalar(floating(value as number))
	return scalar(String(value))
}

function enumText(desc: DescEnum, value: number): ProtoValue {
	return scalar(desc.value[value]?.name ?? String(value))
}

function itemText(field: DescField, value: unknown): ProtoValue {
	if (field.message) return message(toProtoText(field.message, value as Message))
	if (field.enum) return enumText(field.enum, value as number)
	return scalarText(field.scalar as ScalarType, value)
}

function valueOf(field: DescField, fields: Fields): unknown {
	return field.oneof ? (fields[field.oneof.localName] as { value?: unknown }).value : fields[field.localName]
}

const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/**
 * A message as a tree, field by field in the order of their numbers, as C++ text format prints it. Fields that the descriptor does not
 * know keep their number for a name.
 */
export function toProtoText(desc: DescMessage, value: Message): ProtoText {
	const fields = value as unknown as Fields
	const out: ProtoField[] = []
	for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) {
		if (!isFieldSet(value as never, field)) continue
		const { name } = field
		const found = valueOf(field, fields)
		if (field.fieldKind === 'list')
			for (const item of found as unknown[]) out.push({ name, value: itemText(field, item) })
		else if (field.fieldKind === 'map') {
			const entries = Object.entries(found as Fields).sort(([a], [b]) => compare(a, b))
			for (const [key, item] of entries)
				out.push({
					name,
					value: message([
						{ name: 'key', value: scalarText(field.mapKey, key) },
						{ name: 'value', value: itemText(field, item) },
					]),
				})
		} else out.push({ name, value: itemText(field, found) })
	}
	for (const { no, wireType, data } of (value as { $unknown?: UnknownField[] }).$unknown ?? [])
		out.push({
			name: String(no),
			value: message([
				{ name: 'wire_type', value: scalar(String(wireType)) },
				{ name: 'data', value: bytes(data) },
			]),
		})
	return out
}

/** Places of fields in a tree that its descriptor did not know. */
export function unknownPlaces(tree: ProtoText, place = ''): string[] {
	const places = tree.flatMap(({ name, value }) => {
		const at = place === '' ? name : `${place}.${name}`
		if (/^\d+$/.test(name)) return [at]
		return value.kind === 'message' ? unknownPlaces(value.fields, at) : []
	})
	return Array.from(new Set(places))
}

function wrong(desc: DescMessage, name: string, why: string): BackupError {
	return new BackupError('FORMAT_INVALID', `field ${name} of ${desc.typeName} ${why}`)
}

const U32 = 1n << 32n
const U64 = 1n << 64n
const I64 = -(1n << 63n)

/** The least and the greatest number that a field can hold. */
const RANGES = new Map<ScalarType, readonly [bigint, bigint]>([
	[ScalarType.INT32, [-U32 / 2n, U32 / 2n - 1n]],
	[ScalarType.SINT32, [-U32 / 2n, U32 / 2n - 1n]],
	[ScalarType.SFIXED32, [-U32 / 2n, U32 / 2n - 1n]],
	[ScalarType.UINT32, [0n, U32 - 1n]],
	[ScalarType.FIXED32, [0n, U32 - 1n]],
	[ScalarType.INT64, [I64, -I64 - 1n]],
	[ScalarType.SINT64, [I64, -I64 - 1n]],
	[ScalarType.SFIXED64, [I64, -I64 - 1n]],
	[ScalarType.UINT64, [0n, U64 - 1n]],
	[ScalarType.FIXED64, [0n, U64 - 1n]],
])

function parseScalar(desc: DescMessage, field: DescField, type: ScalarType, value: ProtoValue): unknown {
	if (type === ScalarType.STRING || type === ScalarType.BYTES) {
		if (value.kind !== 'bytes') throw wrong(desc, field.name, 'must be a string')
		return type === ScalarType.BYTES ? value.bytes : new TextDecoder('utf-8', { fatal: true }).decode(value.bytes)
	}
	if (value.kind !== 'scalar') throw wrong(desc, field.name, 'must be a number or a name')
	const { text } = value
	if (type === ScalarType.BOOL) {
		if (!/^(true|false|t|f|0|1)$/i.test(text)) throw wrong(desc, field.name, `cannot be ${text}`)
		return /^(true|t|1)$/i.test(text)
	}
	if (type === ScalarType.FLOAT || type === ScalarType.DOUBLE) {
		const plain = text
			.toLowerCase()
			.replace(/f$/, '')
			.replace(/^(-?)inf(inity)?$/, '$1Infinity')
		const number =
			plain === 'nan' || plain === '-nan'
				? Number.NaN
				: Number(plain === 'in' ? 'Infinity' : plain === '-in' ? '-Infinity' : plain)
		if (Number.isNaN(number) && !plain.includes('nan')) throw wrong(desc, field.name, `cannot be ${text}`)
		return number
	}
	if (!/^-?(\d+|0x[0-9a-f]+)$/i.test(text)) throw wrong(desc, field.name, `cannot be ${text}`)
	const big = text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text)
	const [least, most] = RANGES.get(type) ?? [I64, U64 - 1n]
	if (big < least || big > most) throw wrong(desc, field.name, `cannot be ${text}: it is out of range`)
	return most > U32 ? big : Number(big)
}

function parseEnum(desc: DescMessage, field: DescField, type: DescEnum, value: ProtoValue): number {
	if (value.kind !== 'scalar') throw wrong(desc, field.name, 'must be a name')
	const { text } = value
	const found = type.values.find((each) => each.name === text)
	if (found) return found.number
	if (/^-?\d+$/.test(text)) return Number(text)
	throw wrong(desc, field.name, `cannot be ${text}: this version does not know it`)
}

function parseItem(desc: DescMessage, field: DescField, value: ProtoValue): unknown {
	if (field.message) {
		if (value.kind !== 'message') throw wrong(desc, field.name, 'must be a message')
		return fromProtoText(field.message, value.fields)
	}
	return field.enum
		? parseEnum(desc, field, field.enum, value)
		: parseScalar(desc, field, field.scalar as ScalarType, value)
}

/** The message of a tree. Errors: `FORMAT_INVALID` naming field and message. */
export function fromProtoText(desc: DescMessage, tree: ProtoText): Message {
	const result = create(desc) as Message
	const fields = result as unknown as Fields
	const unknown: UnknownField[] = []
	for (const { name, value } of tree) {
		const field = desc.fields.find((each) => each.name === name)
		if (!field) {
			if (!/^\d+$/.test(name) || value.kind !== 'message') throw wrong(desc, name, 'is not known to this version')
			const wireType = value.fields.find((each) => each.name === 'wire_type')?.value
			const data = value.fields.find((each) => each.name === 'data')?.value
			if (wireType?.kind !== 'scalar' || data?.kind !== 'bytes') throw wrong(desc, name, 'is not known to this version')
			unknown.push({ no: Number(name), wireType: Number(wireType.text), data: data.bytes })
		} else if (field.fieldKind === 'list') (fields[field.localName] as unknown[]).push(parseItem(desc, field, value))
		else if (field.fieldKind === 'map') {
			if (value.kind !== 'message') throw wrong(desc, name, 'must be a map entry')
			const key = value.fields.find((each) => each.name === 'key')?.value
			const item = value.fields.find((each) => each.name === 'value')?.value
			const at = key ? String(parseScalar(desc, field, field.mapKey, key)) : ''
			const parsed = item ? parseItem(desc, field, item) : ''
			Object.defineProperty(fields[field.localName], at, {
				value: parsed,
				enumerable: true,
				writable: true,
				configurable: true,
			})
		} else if (field.oneof)
			fields[field.oneof.localName] = { case: field.localName, value: parseItem(desc, field, value) }
		else fields[field.localName] = parseItem(desc, field, value)
	}
	if (unknown.length > 0) (result as { $unknown?: UnknownField[] }).$unknown = unknown
	return result
}
