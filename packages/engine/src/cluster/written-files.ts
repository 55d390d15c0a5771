import { BackupError, type DefinedKind, type Storage } from '@ydbackup/core'
import {
	layout,
	type ManifestFile,
	parseProtoText,
	partitionRangesOf,
	type ReadItemMetadata,
	tableSchemaOf,
} from '@ydbackup/format'

import type { Unseal } from '../encryption/unseal.ts'
import { readDefinition } from '../objects/definition-text.ts'
import { objectDamaged, objectMissing } from '../part/damage.ts'
import { rootKey, sidecarKey } from '../part/keys.ts'
import { classify, type WrittenObject } from './classify.ts'
import type { ClusterStore } from './cluster-store.ts'
import { checkSidecars, placeOf, readSmallFiles, sidecarOf, type SmallFiles } from './read-small-files.ts'
import { checkFeeds, feedsOf } from './written-parts.ts'

export interface WrittenOptions {
	readonly storage: Storage
	readonly id: string
	/** What the cluster was asked for: tables have no kind. */
	readonly asked: readonly { readonly path: string; readonly kind?: DefinedKind | undefined }[]
	/** Whether changefeeds are of the backup. */
	readonly changefeeds: boolean
	readonly unseal: Unseal | undefined
	readonly written: ClusterStore['written']
	readonly signal: AbortSignal | undefined
}

export interface Written {
	readonly files: readonly ManifestFile[]
	/** Folders of what was asked for, by their paths. */
	readonly prefixes: ReadonlyMap<string, string>
	/** Objects that have no place in an export: they are named, and stay. */
	readonly strange: readonly string[]
	/** Names of changefeeds, in the order of their numbers, by the folder of their table. */
	readonly changefeeds: ReadonlyMap<string, readonly string[]>
	/** Whether the cluster wrote checksums of tables. */
	readonly hasChecksums: boolean
}

/**
 * Looks at everything that the cluster has written into a backup: small files are read and compared with their checksums, data files by
 * their presence, size and number. Errors: `OBJECT_MISSING`, `OBJECT_DAMAGED`, `FORMAT_INVALID` naming the key.
 */
export async function readWritten(options: WrittenOptions): Promise<Written> {
	const { storage, id, unseal, signal } = options
	const root = `${layout.backupPrefix(id)}/`
	const objects: WrittenObject[] = []
	const strange: string[] = []
	for await (const { key, size } of storage.list(root, { signal })) {
		const found = classify(key, key.slice(root.length), size)
		if (found === undefined) strange.push(key)
		else objects.push(found)
	}
	const byKey = new Map(objects.map((object) => [object.openKey, object]))
	const byFolder = Map.groupBy(objects, ({ object = '' }) => object)
	const small: SmallFiles = { files: [], texts: new Map() }
	const isPart = ({ role }: WrittenObject): boolean => role === 'changefeed' || role === 'topic'
	const others = objects.filter((object) => object.role !== 'data' && !isPart(object))
	await readSmallFiles(others, storage, unseal, signal, small)

	const prefixes = mappedPrefixes(options, small.texts)
	const metadata = new Map(Array.from(prefixes.values(), (prefix) => [prefix, metadataOf(`${root}${prefix}/`, small)]))
	const feeds = new Map(
		Array.from(prefixes.values(), (prefix) => [prefix, feedsOf(`${root}${prefix}/`, metadata.get(prefix)!, byKey)]),
	)
	const parts = Array.from(feeds.values()).flatMap((each) => each.flatMap(({ files }) => files))
	await readSmallFiles(options.changefeeds ? parts : unasked(parts), storage, unseal, signal, small)
	checkSidecars(small)

	const data: ManifestFile[] = []
	let hasChecksums = true
	for (const { path, kind } of options.asked) {
		const prefix = prefixes.get(path)!
		const { checksums, permissions } = metadata.get(prefix)!
		const granted = `${root}${prefix}/permissions.pb`
		if (permissions === true && !byKey.has(granted)) throw objectMissing(granted)
		if (kind !== undefined) {
			checkDefinition(`${root}${prefix}/${layout.definitionName(kind)}`, kind, small)
			continue
		}
		hasChecksums &&= checksums
		const own = (byFolder.get(prefix) ?? []).filter(({ role }) => role === 'data')
		checkParts(id, prefix, own, small.texts)
		if (options.changefeeds) checkFeeds(feeds.get(prefix)!, small)
		for (const object of own)
			data.push(dataFile(object, checksums ? sidecarOf(object.openKey, small) : undefined, checksums, options))
	}
	const known = new Set(prefixes.values())
	const claimed = new Set(parts.map(({ key }) => key))
	const isOther = (object: WrittenObject): boolean =>
		(object.object !== undefined && !known.has(object.object)) || (isPart(object) && !claimed.has(object.key))
	return {
		files: [...small.files.filter(({ object }) => object === undefined || known.has(object)), ...data],
		prefixes,
		strange: [...strange, ...objects.filter(isOther).map(({ key }) => key)],
		changefeeds: new Map(
			options.changefeeds ? Array.from(feeds, ([prefix, each]) => [prefix, each.map(({ name }) => name)]) : [],
		),
		hasChecksums,
	}
}

/** Changefeeds that were not asked for: only the cluster's own import wants them. */
function unasked(parts: readonly WrittenObject[]): WrittenObject[] {
	return parts
		.filter(({ key, openKey }) => key === openKey)
		.map((file) => ({ ...file, role: 'metadata', partition: undefined }))
}

function metadataOf(folder: string, { texts }: SmallFiles): ReadItemMetadata {
	const key = `${folder}metadata.json`
	const said = texts.get(key)
	if (said === undefined) throw objectMissing(key)
	return layout.readItemMetadata(said, key)
}

/** What a restore could not use must be found now. */
function checkDefinition(key: string, kind: DefinedKind, { texts }: SmallFiles): void {
	const text = texts.get(key)
	if (text === undefined) throw objectMissing(key)
	try {
		readDefinition(text, kind, key)
	} catch (cause) {
		throw new BackupError('FORMAT_INVALID', `this version does not understand what the cluster wrote: ${key}`, {
			advice: `leave such objects to this process: take the backup with --exclude-kind ${kind}, or with --engine client`,
			cause,
		})
	}
}

/** Where each object that was asked for is. Errors: `OBJECT_MISSING`, `FORMAT_INVALID`. */
function mappedPrefixes({ id, asked }: WrittenOptions, texts: ReadonlyMap<string, Uint8Array>): Map<string, string> {
	const key = rootKey(id, 'SchemaMapping/mapping.json')
	for (const name of ['metadata.json', 'SchemaMapping/metadata.json', 'SchemaMapping/mapping.json']) {
		if (!texts.has(rootKey(id, name))) throw objectMissing(rootKey(id, name))
	}
	const mapped = new Map(layout.readSchemaMapping(texts.get(key)!, key).map((item) => [item.path, item.exportPrefix]))
	const prefixes = new Map<string, string>()
	for (const { path } of asked) {
		const prefix = mapped.get(path)
		if (prefix === undefined) throw objectDamaged(key, `it does not name ${path}, which was asked for`)
		if (!/^\d{3,16}$/u.test(prefix) || Number(prefix) > asked.length)
			throw objectDamaged(key, `it has ${path} in ${prefix}, which is no folder of ours`)
		prefixes.set(path, prefix)
	}
	const other = [...mapped.keys()].find((path) => !prefixes.has(path))
	if (other !== undefined) throw objectDamaged(key, `it names ${other}, which was not asked for`)
	return prefixes
}

/** As many data files as the scheme makes partitions: YDB's own import wants no others. */
function checkParts(
	id: string,
	prefix: string,
	data: readonly WrittenObject[],
	texts: ReadonlyMap<string, Uint8Array>,
): void {
	const key = `${layout.backupPrefix(id)}/${prefix}/scheme.pb`
	const text = texts.get(key)
	if (text === undefined) throw objectMissing(key)
	const scheme = parseProtoText(text, key)
	const partitions = partitionRangesOf(scheme, tableSchemaOf(scheme, prefix))?.length
	const numbers = data.map(({ partition = -1 }) => partition).toSorted((a, b) => a - b)
	const gap = numbers.findIndex((number, at) => number !== at)
	if (gap >= 0 || numbers.length === 0)
		throw objectMissing(`${layout.backupPrefix(id)}/${prefix}/${layout.dataName(Math.max(0, gap), 'none')}`)
	if (partitions !== undefined && partitions !== numbers.length) {
		throw objectDamaged(key, `it makes ${partitions} partitions, and there are ${numbers.length} data files`)
	}
}

/** What is known of a data file that was not read. */
function dataFile(
	object: WrittenObject,
	plainSha256: string | undefined,
	hasChecksums: boolean,
	{ written }: WrittenOptions,
): ManifestFile {
	const { key, openKey, size } = object
	if (hasChecksums && plainSha256 === undefined) throw objectMissing(sidecarKey(openKey))
	const passed = written?.get(key)
	if (passed !== undefined && passed.size !== size) {
		throw objectDamaged(key, `${passed.size} bytes of it have passed, and ${size} are on storage`)
	}
	const isPlain = key === openKey && key.endsWith('.csv')
	const sha256 = passed?.sha256 ?? (isPlain ? plainSha256 : undefined)
	if (isPlain && passed !== undefined && plainSha256 !== undefined && passed.sha256 !== plainSha256) {
		throw new BackupError('OBJECT_DAMAGED', `${key}: other bytes have passed than the cluster says it has written`)
	}
	return {
		...placeOf(object),
		size,
		...(sha256 !== undefined && { sha256 }),
		...(isPlain && { plainSize: size }),
		...(plainSha256 !== undefined && { plainSha256 }),
		role: 'data',
		provenance: passed === undefined ? 'server-claimed' : 'streamed',
	}
}
