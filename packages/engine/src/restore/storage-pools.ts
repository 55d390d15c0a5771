import type { ProtoField, ProtoText } from '@ydbackup/core'

/** Fields that name a kind of storage of the cluster that the backup is from. Source: what `ydb tools dump` leaves out. */
const POOLS: Readonly<Record<string, ReadonlySet<string>>> = {
	storage_settings: new Set(['tablet_commit_log0', 'tablet_commit_log1', 'external']),
	column_families: new Set(['data']),
}

/** The scheme without the names of storage pools, which another cluster may not have; undefined when it names none. */
export function withoutPools(scheme: ProtoText): ProtoText | undefined {
	let isChanged = false
	function strip(field: ProtoField): ProtoField[] {
		const names = POOLS[field.name]
		if (names === undefined || field.value.kind !== 'message') return [field]
		const kept = field.value.fields.filter((inner) => !names.has(inner.name))
		if (kept.length === field.value.fields.length) return [field]
		isChanged = true
		return kept.length === 0 ? [] : [{ name: field.name, value: { kind: 'message', fields: kept } }]
	}
	const stripped = scheme.flatMap(strip)
	return isChanged ? stripped : undefined
}
