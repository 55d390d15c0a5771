import { messageField, type ProtoField, protoFields, protoMessage, protoString, type ProtoText } from '@ydbackup/core'

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
		return kept.length === 0 ? [] : [messageField(field.name, kept)]
	}
	const stripped = scheme.flatMap(strip)
	return isChanged ? stripped : undefined
}

const STORAGE = new Set(['storage_settings', 'column_families', 'read_replicas_settings'])

/** The scheme with nothing about how and where rows are kept: pools, external blobs, families with their compression, read replicas. */
export function withoutStorage(scheme: ProtoText): ProtoText {
	return scheme
		.filter((field) => !STORAGE.has(field.name))
		.map((field) =>
			field.name === 'columns' && field.value.kind === 'message'
				? messageField(
						field.name,
						field.value.fields.filter(({ name }) => name !== 'family'),
					)
				: field,
		)
}

/** What a table asks of the cluster's storage beyond what every cluster has, each as one fragment. */
export function storageNeeds(scheme: ProtoText): string[] {
	const settings = protoMessage(scheme, 'storage_settings')
	const pools = [...(POOLS['storage_settings'] ?? [])].flatMap((name) => {
		const media = protoString(protoMessage(settings, name), 'media')
		return media === undefined ? [] : [`${name} on ${media}`]
	})
	const blobs = protoString(settings, 'store_external_blobs') === 'ENABLED' ? ['external blobs'] : []
	const families = protoFields(scheme, 'column_families').flatMap((value) => {
		if (value.kind !== 'message') return []
		const name = protoString(value.fields, 'name') ?? ''
		const media = protoString(protoMessage(value.fields, 'data'), 'media')
		const compression = protoString(value.fields, 'compression')?.replace('COMPRESSION_', '').toLowerCase()
		const isPlain = name === 'default' && media === undefined && (compression ?? 'none') === 'none'
		if (isPlain) return []
		return [
			[`family ${name}`, media && `on ${media}`, compression && `compression ${compression}`].filter(Boolean).join(' '),
		]
	})
	const replicas = protoMessage(scheme, 'read_replicas_settings').length > 0 ? ['read replicas'] : []
	return [...pools, ...blobs, ...families, ...replicas]
}
