import type { DescMessage, Message } from '@bufbuild/protobuf'
import { messageField, type ProtoField, type ProtoText } from '@ydbackup/core'
import { inOrder, newest, treeOf } from './newer.ts'

/** A description, and the request that makes its object again. */
export interface Carriage {
	readonly from: DescMessage
	readonly to: DescMessage
	/** What of the description is not taken: places of fields, each with the reason. */
	readonly left: Readonly<Record<string, string>>
}

export interface Carried {
	readonly request: ProtoText
	/** Places of the fields that were set and that the request has no field for: they are lost. */
	readonly lost: readonly string[]
}

/**
 * The request that makes what a description describes. Fields go over by their names: their numbers differ between the two. In a message
 * that both use fields go over that this version does not know, too.
 */
export function carry({ from, to, left }: Carriage, description: Message): Carried {
	const lost = new Set<string>()

	function fields(source: DescMessage, target: DescMessage, tree: ProtoText, place: string): ProtoText {
		if (source === target && !hasLeft(left, place)) return tree
		return tree.flatMap((one): ProtoField[] => {
			const at = place === '' ? one.name : `${place}.${one.name}`
			if (at in left) return []
			const [given, wanted] = [source, target].map((desc) => desc.fields.find(({ name }) => name === one.name))
			if (source !== target && (given === undefined || wanted === undefined)) {
				lost.add(at)
				return []
			}
			if (!given?.message || !wanted?.message || one.value.kind !== 'message') return [one]
			const inner = fields(given.message, wanted.message, one.value.fields, at)
			return [messageField(one.name, inner)]
		})
	}

	const tree = fields(newest(from), newest(to), treeOf(from, description), '')
	return { request: inOrder(to, tree), lost: Array.from(lost) }
}

/** Whether something below a place is left. */
export function hasLeft(left: Carriage['left'], place: string): boolean {
	return Object.keys(left).some((one) => place === '' || one.startsWith(`${place}.`))
}
