import type { TableIndex } from '@ydbjs/api/table'

interface RawField {
	readonly no: number
	readonly wireType: number
	readonly data: Uint8Array
}

/**
 * Kinds of indexes that the client package does not know: the field of `TableIndex`, and that of `TableIndexDescription`. Vector, full-text
 * (plain, with relevance), Bloom filters (plain, of n-grams). Source: ydb_table.proto of ydb-platform/ydb.
 */
const TOLD_AS: ReadonlyMap<number, number> = new Map([
	[7, 9],
	[8, 10],
	[9, 11],
	[10, 12],
	[11, 13],
])

/** What says the kind of such an index; undefined for one that the client package knows, and for one without a kind. */
function kindOf({ type, $unknown }: TableIndex): RawField | undefined {
	return type.case === undefined ? $unknown?.find(({ no }) => TOLD_AS.has(no)) : undefined
}

/** It is kept and told, and nothing is looked up by it. */
export const isNewerIndex = (index: TableIndex): boolean => kindOf(index) !== undefined

/** Its kind as a description has it. */
export function toldKind(index: TableIndex): RawField[] {
	const kind = kindOf(index)
	return kind ? [{ ...kind, no: TOLD_AS.get(kind.no)! }] : []
}
