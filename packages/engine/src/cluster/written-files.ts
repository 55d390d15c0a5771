import { BackupError, isBackupError, type Storage } from '@ydbackup/core'
import {
	layout,
	type ManifestFile,
	parseChecksumFile,
	parseProtoText,
	partitionRangesOf,
	sha256Hex,
	tableSchemaOf,
} from '@ydbackup/format'

import type { Unseal } from '../encryption/unseal.ts'
import { requestConcurrency } from '../flow/concurrency.ts'
import { runAll } from '../flow/run-all.ts'
import { objectDamaged, objectMissing } from '../part/damage.ts'
import { rootKey, sidecarKey } from '../part/keys.ts'
import { readWhole } from '../part/read-object.ts'
import { classify, type WrittenObject } from './classify.ts'
import type { ClusterStore } from './cluster-store.ts'

export interface WrittenOptions {
	readonly storage: Storage
	readonly id: string
	/** Paths of the tables that were asked for. */
	readonly tables: readonly string[]
	readonly unseal: Unseal | undefined
	readonly written: ClusterStore['written']
	readonly signal: AbortSignal | undefined
}

export interface Written {
	readonly files: readonly ManifestFile[]
	/** Folders of tables, by their paths. */
	readonly prefixes: ReadonlyMap<string, string>
	/** Objects that have no place in an export: they are named, and stay. */
	readonly strange: readonly string[]
	/** Changefeeds of tables, relative to the database: their files are there for the cluster's own import alone. */
	readonly changefeeds: readonly string[]
	/** Whether the cluster wrote checksums. */
	readonly hasChecksums: boolean
}

const LARGEST_SMALL = 64 << 20

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
	const texts = new Map<string, Uint8Array>()
	const files: ManifestFile[] = []

	const small = objects.filter(({ role }) => role !== 'data')
	await runAll(small, requestConcurrency(storage), signal, async (object, stop) => {
		const { key, openKey, size, role } = object
		if (size > LARGEST_SMALL) throw objectDamaged(key, `it has ${size} bytes`)
		const bytes = await readWhole({ storage, key, size, signal: stop })
		const plain = await opened(object, bytes, unseal)
		texts.set(openKey, plain)
		const sha256 = sha256Hex(bytes)
		const plainSha256 = plain === bytes ? sha256 : sha256Hex(plain)
		files.push({
			...placeOf(object),
			size,
			sha256,
			plainSize: plain.length,
			plainSha256,
			role,
			provenance: 'read-back',
		})
	})

	const sidecarOf = (openKey: string): string | undefined => {
		const bytes = texts.get(sidecarKey(openKey))
		return bytes && parseChecksumFile(bytes, sidecarKey(openKey))
	}
	for (const { key, role, plainSha256 } of files) {
		if (role === 'checksum') continue
		const expected = sidecarOf(key)
		if (expected !== undefined && expected !== plainSha256) throw objectDamaged(key, `its SHA-256 is not ${expected}`)
	}
	const prefixes = mappedPrefixes(options, texts)
	const folders = new Set(prefixes.values())
	let hasChecksums = true
	const changefeeds: string[] = []
	for (const [path, prefix] of prefixes) {
		const data = objects.filter(({ role, object }) => role === 'data' && object === prefix)
		checkParts(id, prefix, data, texts)
		const metadata = `${root}${prefix}/metadata.json`
		const said = texts.get(metadata)
		if (said === undefined) throw objectMissing(metadata)
		const { checksums, permissions, changefeeds: feeds = [] } = layout.readItemMetadata(said, metadata)
		changefeeds.push(...feeds.map(({ name }) => `${path}/${name}`))
		hasChecksums &&= checksums
		const granted = `${root}${prefix}/permissions.pb`
		if (permissions === true && !byKey.has(granted)) throw objectMissing(granted)
		for (const object of data)
			files.push(dataFile(object, checksums ? sidecarOf(object.openKey) : undefined, checksums, options))
	}
	const others = objects.filter(({ object }) => object !== undefined && !folders.has(object)).map(({ key }) => key)
	return {
		files: files.filter(({ object }) => object === undefined || folders.has(object)),
		prefixes,
		strange: [...strange, ...others],
		changefeeds,
		hasChecksums,
	}
}

function placeOf({ key, object, partition }: WrittenObject): Pick<ManifestFile, 'key' | 'object' | 'partition'> {
	return { key, ...(object !== undefined && { object }), ...(partition !== undefined && { partition }) }
}

async function opened(object: WrittenObject, bytes: Uint8Array, unseal: Unseal | undefined): Promise<Uint8Array> {
	if (unseal === undefined || object.key === object.openKey) return bytes
	try {
		return await unseal.decryptWhole(object, bytes)
	} catch (error) {
		if (isBackupError(error, 'FORMAT_INVALID')) throw objectDamaged(object.key, error.message, error)
		throw error
	}
}

/** Where each table that was asked for is. Errors: `OBJECT_MISSING`, `FORMAT_INVALID`. */
function mappedPrefixes({ id, tables }: WrittenOptions, texts: ReadonlyMap<string, Uint8Array>): Map<string, string> {
	const key = rootKey(id, 'SchemaMapping/mapping.json')
	for (const name of ['metadata.json', 'SchemaMapping/metadata.json', 'SchemaMapping/mapping.json']) {
		if (!texts.has(rootKey(id, name))) throw objectMissing(rootKey(id, name))
	}
	const mapped = new Map(layout.readSchemaMapping(texts.get(key)!, key).map((item) => [item.path, item.exportPrefix]))
	const prefixes = new Map<string, string>()
	for (const path of tables) {
		const prefix = mapped.get(path)
		if (prefix === undefined) throw objectDamaged(key, `it does not name ${path}, which was asked for`)
		if (!/^\d{3,16}$/u.test(prefix)) throw objectDamaged(key, `it has ${path} in ${prefix}, which is no folder of ours`)
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
