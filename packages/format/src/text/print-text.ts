import type { ProtoText, ProtoValue } from '@ydbackup/core'

export interface PrintOptions {
	/**
	 * Fields with a number for a name: left out, as YDB's importers refuse them (the default), or printed as C++ prints unknown fields,
	 * for our own files.
	 */
	readonly unknownFields?: 'omit' | 'keep'
}

/**
 * Protobuf text, byte for byte as `google::protobuf::TextFormat::PrintToString` prints it: one field a line, two spaces a level, strings
 * with C escapes and octal for all bytes outside ASCII.
 */
export function printProtoText(tree: ProtoText, options: PrintOptions = {}): string {
	const lines: string[] = []
	print(tree, '', options.unknownFields === 'keep', lines)
	return lines.join('')
}

const NUMBER = /^\d+$/u

function print(tree: ProtoText, indent: string, keepUnknown: boolean, lines: string[]): void {
	for (const { name, value } of tree) {
		if (!keepUnknown && NUMBER.test(name)) continue
		if (value.kind === 'message') {
			lines.push(indent, name, ' {\n')
			print(value.fields, `${indent}  `, keepUnknown, lines)
			lines.push(indent, '}\n')
		} else {
			lines.push(indent, name, ': ', printValue(value), '\n')
		}
	}
}

function printValue(value: Exclude<ProtoValue, { kind: 'message' }>): string {
	return value.kind === 'scalar' ? value.text : `"${escapeBytes(value.bytes)}"`
}

/** What `absl::CEscape` writes for each byte. */
const ESCAPES: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
	switch (byte) {
		case 0x0a:
			return '\\n'
		case 0x0d:
			return '\\r'
		case 0x09:
			return '\\t'
		case 0x22:
			return '\\"'
		case 0x27:
			return "\\'"
		case 0x5c:
			return '\\\\'
		default:
			return byte < 0x20 || byte >= 0x7f ? `\\${byte.toString(8).padStart(3, '0')}` : String.fromCodePoint(byte)
	}
})

export function escapeBytes(bytes: Uint8Array): string {
	let text = ''
	for (const byte of bytes) text += ESCAPES[byte]!
	return text
}
