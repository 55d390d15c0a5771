import { spellCount } from '../output/quantity.ts'
import { tableText } from '../output/table.ts'

/** An object that is neither table nor directory, or the changefeeds of a table. */
export interface ListedObject {
	readonly path: string
	readonly kind: string
	/** Names of its changefeeds or rate limiters. */
	readonly parts?: readonly string[]
}

/** `2 views, 1 topic, 3 changefeeds`; undefined for nothing. */
export function objectCountsText(objects: readonly ListedObject[]): string | undefined {
	const counts = new Map<string, number>()
	const add = (kind: string, number: number): void => void counts.set(kind, (counts.get(kind) ?? 0) + number)
	for (const { kind, parts = [] } of objects) {
		if (kind !== 'row-table') add(kind, 1)
		if (parts.length > 0) add(kind === 'row-table' ? 'changefeed' : 'rate-limiter', parts.length)
	}
	if (counts.size === 0) return undefined
	return Array.from(counts, ([kind, number]) => `${spellCount(number)} ${wordOf(kind, number)}`).join(', ')
}

function wordOf(kind: string, number: number): string {
	const word = kind.replaceAll('-', ' ')
	return number === 1 ? word : `${word}s`
}

/** One line for each object, by kind. */
export function objectsText(objects: readonly ListedObject[]): string {
	const sorted = objects.toSorted((a, b) => (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0))
	return tableText(sorted, [
		{ title: 'KIND', cell: ({ kind }) => (kind === 'row-table' ? 'changefeeds of' : kind) },
		{ title: 'PATH', cell: ({ path }) => path },
		{ title: 'WITH', cell: ({ parts = [] }) => parts.join(' ') },
	])
}
