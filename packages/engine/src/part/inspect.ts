import type { Storage } from '@ydbackup/core'
import {
	decodeObjects,
	isDefined,
	layout,
	type Manifest,
	type ManifestFile,
	type ManifestObject,
	type ObjectsFile,
	parseProtoText,
	sha256Hex,
} from '@ydbackup/format'

import { decryptSmall, type OpenedBackup } from '../encryption/open-backup.ts'
import type { Unseal } from '../encryption/unseal.ts'
import { requestConcurrency } from '../flow/concurrency.ts'
import { runAll } from '../flow/run-all.ts'
import { checkConsistency } from './consistency.ts'
import { filesByObject, openPermissions, openScheme, type StoredDirectory, type StoredTable } from './contents.ts'
import { objectDamaged, objectMissing } from './damage.ts'
import { type Finding, findingOf } from './finding.ts'
import { itemKey, sidecarKey } from './keys.ts'
import { checkNative } from './native-files.ts'
import { readWhole } from './read-object.ts'
import { type ItemTexts, readStoredObject, readStoredParts, type StoredObject } from './stored-object.ts'

/**
 * `sizes`: every object is there and has its size. `stored`: also every stored byte of all but data files is right; of an encrypted
 * backup that is as much as can be said without its key. `contents`: also what they say is right and fits.
 */
export type InspectLevel = 'sizes' | 'stored' | 'contents'

export interface InspectOptions {
	readonly storage: Storage
	readonly backup: OpenedBackup
	/** Prefixes of the tables and objects that matter; undefined for all. */
	readonly tables?: ReadonlySet<string> | undefined
	readonly level: InspectLevel
	readonly signal: AbortSignal | undefined
}

export interface Inspection {
	readonly findings: readonly Finding[]
	/** Those that can be read, with `contents` only. */
	readonly tables: readonly StoredTable[]
	readonly directories: readonly StoredDirectory[]
	/** Neither tables nor directories. */
	readonly objects: readonly StoredObject[]
	/** By prefix: what the tables of an increment were at its end. */
	readonly links: NonNullable<ObjectsFile['links']>
	/** Undefined for a backup without them. */
	readonly accounts?: ObjectsFile['accounts']
}

/**
 * Looks at everything of a backup but the insides of data files, and collects what is wrong. Throws only when the store cannot be
 * asked. Verify and restore both begin with it, so that neither can find what the other does not.
 */
export async function inspect(options: InspectOptions): Promise<Inspection> {
	const { storage, tables: chosen, level, signal } = options
	const { manifest, unseal } = options.backup
	const groups = filesByObject(manifest)
	const objects = manifest.objects.filter(
		(object) => object.prefix !== undefined && chosen?.has(object.prefix) !== false,
	)
	const pathOf = new Map(objects.map((object) => [object.prefix ?? '', object.path]))
	const files = [...(groups.get('') ?? []), ...objects.flatMap((object) => groups.get(object.prefix ?? '') ?? [])]
	const findings: Finding[] = checkConsistency(manifest, objects, groups)
	const texts = new Map<string, Uint8Array>()
	const plainHashes = new Map(
		files.filter((file) => file.role !== 'checksum').map((file) => [sidecarKey(file.key), file.plainSha256]),
	)

	await runAll(files, requestConcurrency(storage), signal, async (file, stop) => {
		const severity = severityOf(file)
		try {
			if (file.role === 'data' || level === 'sizes') return await checkSize(storage, file, stop)
			const bytes = await readWhole({ storage, key: file.key, size: file.size, signal: stop })
			if (sha256Hex(bytes) !== file.sha256) throw objectDamaged(file.key, `its SHA-256 is not ${file.sha256}`)
			if (level === 'stored' && file.key.endsWith(layout.encryptedSuffix)) return
			const plain = await decryptSmall(file, bytes, unseal)
			checkNative(file, plain, { manifest, plainHashes, exportIvOf: unseal?.exportIvOf })
			if (severity === 'data') texts.set(file.key, plain)
		} catch (error) {
			findings.push(findingOf(error, file.key, severity, pathOf.get(file.object ?? '')))
		}
	})
	if (level !== 'contents') return { findings: inOrder(findings), tables: [], objects: [], directories: [], links: {} }

	const shared = readObjects(manifest, groups.get('') ?? [], texts, findings)
	const tables: StoredTable[] = []
	const found: StoredObject[] = []
	for (const object of objects) {
		const item = { files: groups.get(object.prefix ?? '') ?? [], texts, shared }
		if (isDefined(object)) {
			try {
				const one = readStoredObject(object, item)
				if (one !== undefined) found.push(one)
			} catch (error) {
				findings.push(
					findingOf(error, itemKey(layout.backupPrefix(manifest.id), object.prefix ?? '', ''), 'data', object.path),
				)
			}
			continue
		}
		const table = storedTable(object, item, unseal, findings)
		if (table === undefined) continue
		try {
			openScheme(table)
			openPermissions(table)
			tables.push(table)
		} catch (error) {
			findings.push(findingOf(error, table.schemeKey, 'data', table.path))
		}
	}
	return {
		findings: inOrder(findings),
		tables,
		objects: found,
		directories: directoriesOf(shared),
		links: shared?.links ?? {},
		accounts: shared?.accounts,
	}
}

function inOrder(findings: readonly Finding[]): Finding[] {
	return findings.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

async function checkSize(storage: Storage, file: ManifestFile, signal: AbortSignal): Promise<void> {
	const info = await storage.stat(file.key, { signal })
	if (info === undefined) throw objectMissing(file.key)
	if (info.size !== file.size) throw objectDamaged(file.key, `it has ${info.size} bytes instead of ${file.size}`)
}

/** Files that YDB's own import reads and we do not need. */
function severityOf(file: ManifestFile): Finding['severity'] {
	return file.role === 'checksum' || file.role === 'metadata' || file.role === 'mapping' ? 'native' : 'data'
}

/** `objects.json`, which must speak of the same directories as the manifest. */
function readObjects(
	manifest: Manifest,
	shared: readonly ManifestFile[],
	texts: ReadonlyMap<string, Uint8Array>,
	findings: Finding[],
): ObjectsFile | undefined {
	const file = shared.find((one) => one.role === 'objects')
	const bytes = file === undefined ? undefined : texts.get(file.key)
	if (file === undefined || bytes === undefined) return undefined
	try {
		const objects = decodeObjects(bytes, file.key)
		for (const { path, permissions } of objects.directories) parseProtoText(permissions, `${file.key} (${path})`)
		if (objects.accounts) parseProtoText(objects.accounts.permissions, `${file.key} (accounts)`)
		const listed = manifest.objects.filter((object) => object.kind === 'directory').map((object) => object.path)
		const found = new Set(objects.directories.map((directory) => directory.path))
		if (listed.length !== objects.directories.length || listed.some((path) => !found.has(path))) {
			throw objectDamaged(file.key, 'it does not hold the directories that the manifest lists')
		}
		return objects
	} catch (error) {
		findings.push(findingOf(error, file.key, 'data'))
		return undefined
	}
}

function directoriesOf(objects: ObjectsFile | undefined): StoredDirectory[] {
	return (objects?.directories ?? []).map(({ path, permissions }) => ({ path, permissionsText: permissions }))
}

/** Undefined when the scheme or the permissions could not be read: a finding says so already. */
function storedTable(
	object: ManifestObject,
	item: ItemTexts,
	unseal: Unseal | undefined,
	findings: Finding[],
): StoredTable | undefined {
	const { files, texts, shared } = item
	const scheme = files.find((file) => file.role === 'scheme')
	const permissions = files.find((file) => file.role === 'permissions')
	const native = scheme === undefined ? undefined : texts.get(scheme.key)
	if (scheme === undefined || native === undefined || object.prefix === undefined) return undefined
	if (permissions !== undefined && !texts.has(permissions.key)) return undefined
	let changefeeds: StoredTable['changefeeds'] | undefined
	try {
		changefeeds = readStoredParts(object, item)
	} catch (error) {
		findings.push(findingOf(error, scheme.key, 'data', object.path))
	}
	if (changefeeds === undefined) return undefined
	const parts = files.filter((file) => file.role === 'data').toSorted((a, b) => (a.partition ?? 0) - (b.partition ?? 0))
	return {
		object,
		path: object.path,
		prefix: object.prefix,
		rows: parts.reduce((sum, part) => sum + (part.rows ?? 0), 0),
		rowHash: object.rowHash,
		plainBytes: parts.reduce((sum, part) => sum + (part.plainSize ?? part.size), 0),
		parts,
		changefeeds,
		unseal,
		...(object.rows === undefined && { foreign: { mayRepeatRows: false } }),
		schemeKey: scheme.key,
		schemeText: shared?.schemes?.[object.prefix] ?? native,
		permissionsKey: permissions?.key,
		permissionsText: permissions === undefined ? undefined : texts.get(permissions.key),
	}
}
