import { ExportProgress_Progress } from '@ydbjs/api/export'

/**
 * Progress and percent of backups and restores of collections, which the client has no schema for: fields 1 and 2, both varints; words
 * are those of exports. Source: draft/ydb_backup.proto, not verified against a server.
 */
export function readPercent(bytes: Uint8Array): { readonly progress?: string; readonly percent?: number } {
	const numbers = new Map<number, number>()
	let at = 0
	const varint = (): number => {
		let value = 0
		for (let shift = 0; at < bytes.length && shift < 35; shift += 7) {
			const byte = bytes[at++]!
			value += (byte & 0x7f) * 2 ** shift
			if (byte < 0x80) return value
		}
		return Number.NaN
	}
	while (at < bytes.length) {
		const tag = varint()
		// Nothing else is known of it: what follows cannot be told.
		if ((tag & 7) !== 0) break
		numbers.set(tag >>> 3, varint())
	}
	const progress = numbers.get(1)
	const percent = numbers.get(2)
	return {
		...(progress !== undefined &&
			!Number.isNaN(progress) && { progress: ExportProgress_Progress[progress] ?? String(progress) }),
		...(percent !== undefined && percent <= 100 && { percent }),
	}
}
