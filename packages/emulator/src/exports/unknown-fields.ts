import type { Message } from '@bufbuild/protobuf'

/** Fields that the client package does not know yet, by their numbers. Source: ydb_export.proto, ydb_import.proto. */
export const FIELD = {
	includeIndexData: 16,
	indexPopulation: 16,
	excludeRegexps: 17,
	parquet: 19,
	listExcludeRegexps: 12,
} as const

const all = (message: Message, no: number): Uint8Array[] =>
	(message.$unknown ?? []).filter((field) => field.no === no).map(({ data }) => data)

/** A field of small whole numbers or truth; 0 when it is not there. */
export function unknownNumber(message: Message, no: number): number {
	return all(message, no).at(-1)?.[0] ?? 0
}

export const hasField = (message: Message, no: number): boolean => all(message, no).length > 0

/** A repeated field of texts of which each is shorter than 16 KiB. */
export function unknownTexts(message: Message, no: number): string[] {
	return all(message, no).map((data) => Buffer.from(data.subarray(data[0]! > 127 ? 2 : 1)).toString())
}
