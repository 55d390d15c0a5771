import { combinedIv, FILE } from './encryption.ts'
import { findFile, ImportError, readText, type Reading } from './import-files.ts'
import { type ExportedKind, type ItemMetadata, parseMetadata, SCHEME_FILES } from './layout.ts'
import type { Item } from './operation.ts'
import { persistently } from './retries.ts'

/** What was read of an object before anything of it was made. */
export interface Described {
	readonly item: Item
	readonly at: number
	readonly metadata: ItemMetadata
	readonly isChecked: boolean
	readonly kind: ExportedKind
	readonly text: string
	readonly permissions: string | undefined
	ivOf(kind: number, shard?: number): Buffer | undefined
}

/** Reads what is told of an object, and what kind it is. */
export async function describe(
	reading: Reading,
	item: Item,
	at: number,
	isUnchecked: boolean,
	noAcl: boolean,
): Promise<Described> {
	const { prefix } = item
	const base = item.iv === undefined ? undefined : Buffer.from(item.iv, 'hex')
	const ivOf = (kind: number, shard = 0): Buffer | undefined => base && combinedIv(base, kind, 0, shard)
	const first = await readText(reading, `${prefix}/metadata.json`, { iv: ivOf(FILE.metadata), isChecked: false })
	if (!first) throw new ImportError(`S3 error: cannot find ${prefix}/metadata.json`)
	let metadata: ItemMetadata
	try {
		metadata = parseMetadata(first.text)
	} catch {
		throw new ImportError('cannot parse metadata')
	}
	if (!metadata.changefeeds) metadata = { ...metadata, changefeeds: await foundFeeds(reading, prefix) }
	// Without a version there are checksums.
	const isChecked = metadata.version !== 0 && !isUnchecked
	if (isChecked) await readText(reading, `${prefix}/metadata.json`, { iv: ivOf(FILE.metadata), isChecked })
	for (const { name, kind, iv: fileKind } of SCHEME_FILES) {
		if (!(await findFile(reading, `${prefix}/${name}`))) continue
		const scheme = await readText(reading, `${prefix}/${name}`, { iv: ivOf(fileKind), isChecked })
		const permissions =
			metadata.hasPermissions === false || noAcl
				? undefined
				: await readText(reading, `${prefix}/permissions.pb`, { iv: ivOf(FILE.permissions), isChecked: false })
		if (permissions && isChecked)
			await readText(reading, `${prefix}/permissions.pb`, { iv: ivOf(FILE.permissions), isChecked })
		if (!permissions && metadata.hasPermissions && !noAcl) throw new ImportError('No permissions file found')
		return { item, at, metadata, isChecked, kind, text: scheme!.text, permissions: permissions?.text, ivOf }
	}
	throw new ImportError(`Unsupported scheme object type: nothing is known in ${prefix}`)
}

/** Changefeeds of an export that does not list them, by their files. */
async function foundFeeds(reading: Reading, prefix: string): Promise<{ prefix: string; name: string }[]> {
	const { client, persistence, key } = reading
	if (key) throw new ImportError('No changefeeds described in table metadata')
	const keys = await persistently(() => client.list(`${prefix}/`, persistence.signal), persistence)
	const end = '/changefeed_description.pb'
	return keys
		.filter((each) => each.endsWith(end))
		.map((each) => each.slice(prefix.length + 1, -end.length))
		.map((name) => ({ prefix: name, name }))
}
