import { type DescField, type DescMessage, type MessageShape, ScalarType } from '@bufbuild/protobuf'
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect'

const NAMED: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 39: "\\'", 92: '\\\\' }

/** Bytes beyond ASCII as octal digits, as TextFormat prints them. */
function quoted(bytes: Uint8Array): string {
	let text = '"'
	for (const byte of bytes)
		text +=
			NAMED[byte] ?? (byte < 32 || byte > 126 ? `\\${byte.toString(8).padStart(3, '0')}` : String.fromCharCode(byte))
	return `${text}"`
}

function scalar(type: ScalarType, value: unknown): string {
	if (type === ScalarType.STRING) return quoted(Buffer.from(value as string))
	if (type === ScalarType.BYTES) return quoted(value as Uint8Array)
	if (typeof value !== 'number') return String(value)
	if (Number.isNaN(value)) return 'nan'
	if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
	return Object.is(value, -0) ? '-0' : String(value)
}

function enumName(
	field: DescField & { readonly enum: { readonly value: Record<number, { name: string }> } },
	value: number,
): string {
	return field.enum.value[value]?.name ?? String(value)
}

function* lines(message: ReflectMessage, indent: string): Generator<string> {
	for (const field of message.fields.toSorted((a, b) => a.number - b.number)) {
		if (!message.isSet(field)) continue
		const one = function* (value: unknown): Generator<string> {
			if (field.message) {
				yield `${indent}${field.name} {`
				yield* lines(value as ReflectMessage, `${indent}  `)
				yield `${indent}}`
			} else if (field.enum) yield `${indent}${field.name}: ${enumName(field, value as number)}`
			else yield `${indent}${field.name}: ${scalar(field.scalar!, value)}`
		}
		if (field.fieldKind === 'list') for (const value of message.get(field)) yield* one(value)
		else if (field.fieldKind === 'map') {
			const map = message.get(field)
			for (const key of [...map.keys()].toSorted((a, b) => (String(a) < String(b) ? -1 : 1))) {
				const value = map.get(key)
				yield `${indent}${field.name} {`
				yield `${indent}  key: ${scalar(field.mapKey, key)}`
				if (field.mapKind === 'message') {
					yield `${indent}  value {`
					yield* lines(value as ReflectMessage, `${indent}    `)
					yield `${indent}  }`
				} else if (field.mapKind === 'enum')
					yield `${indent}  value: ${field.enum.value[value as number]?.name ?? String(value)}`
				else yield `${indent}  value: ${scalar(field.scalar, value)}`
				yield `${indent}}`
			}
		} else yield* one(message.get(field))
	}
}

/** A message as protobuf's TextFormat::PrintToString prints it: fields by number, two spaces, one a line. Unknown fields are left out. */
export function printText<D extends DescMessage>(schema: D, message: MessageShape<D>): string {
	let text = ''
	for (const line of lines(reflect(schema, message), '')) text += `${line}\n`
	return text
}
