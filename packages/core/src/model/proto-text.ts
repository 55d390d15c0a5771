/**
 * A protobuf message as a tree without a schema: what YDB's native backup files hold in protobuf text format.
 *
 * A tree keeps fields that this version does not know, and their order. Order is significant for repeated fields only.
 * `ydb` maps messages to trees and back by reflection; `format` prints and parses the text; the engine moves and cuts subtrees.
 * A field that the generated code of this version does not know has its number for a name (`"17"`); it is printed as text
 * format prints unknown fields, and native files leave it out, because YDB's importers refuse it.
 */
export type ProtoText = readonly ProtoField[]

export interface ProtoField {
	/** The field's name in the .proto file, or its number when unknown. */
	readonly name: string
	readonly value: ProtoValue
}

export type ProtoValue =
	| { readonly kind: 'message'; readonly fields: ProtoText }
	/** A string or bytes field, as the bytes it holds. */
	| { readonly kind: 'bytes'; readonly bytes: Uint8Array }
	/** A number, an enum name or `true`/`false`, as the C++ printer spells it. */
	| { readonly kind: 'scalar'; readonly text: string }

export function textField(name: string, text: string): ProtoField {
	return { name, value: { kind: 'bytes', bytes: new TextEncoder().encode(text) } }
}

/** A number, an enum name or a bool, as {@link ProtoValue} spells it. */
export function scalarField(name: string, text: string): ProtoField {
	return { name, value: { kind: 'scalar', text } }
}

export function messageField(name: string, fields: ProtoText): ProtoField {
	return { name, value: { kind: 'message', fields } }
}

/** The first field of that name. */
export function protoField(tree: ProtoText, name: string): ProtoValue | undefined {
	return tree.find((field) => field.name === name)?.value
}

/** Every value of a repeated field, in order. */
export function protoFields(tree: ProtoText, name: string): ProtoValue[] {
	return tree.filter((field) => field.name === name).map((field) => field.value)
}

/** The fields of a message field; empty when it is absent or no message. */
export function protoMessage(tree: ProtoText, name: string): ProtoText {
	const value = protoField(tree, name)
	return value?.kind === 'message' ? value.fields : []
}

/** The text of a string field (UTF-8) or of a scalar; undefined when it is absent or a message. */
export function protoString(tree: ProtoText, name: string): string | undefined {
	const value = protoField(tree, name)
	if (value?.kind === 'scalar') return value.text
	return value?.kind === 'bytes' ? new TextDecoder('utf-8', { fatal: true }).decode(value.bytes) : undefined
}
