import type { DescMessage } from '@bufbuild/protobuf'
import { messageField, type ProtoField, type ProtoText } from '@ydbackup/core'

const NUMBER = /^-?\d+$/

/** The part of a tree that a message of this version holds, and the places of the fields and enum names that it does not know. */
export function knownPart(desc: DescMessage, tree: ProtoText): { known: ProtoText; unknown: string[] } {
	const unknown = new Set<string>()

	function keep(message: DescMessage, given: ProtoText, place: string): ProtoText {
		return given.flatMap((one): ProtoField[] => {
			const { name, value } = one
			const at = place === '' ? name : `${place}.${name}`
			const field = message.fields.find((each) => each.name === name)
			if (field === undefined) {
				unknown.add(at)
				return []
			}
			const isPlain = field.fieldKind !== 'map'
			if (isPlain && field.message && value.kind === 'message') {
				return [messageField(name, keep(field.message, value.fields, at))]
			}
			if (isPlain && field.enum && value.kind === 'scalar' && !NUMBER.test(value.text)) {
				if (!field.enum.values.some((each) => each.name === value.text)) {
					unknown.add(`${at}: ${value.text}`)
					return []
				}
			}
			return [one]
		})
	}

	return { known: keep(desc, tree, ''), unknown: Array.from(unknown) }
}
