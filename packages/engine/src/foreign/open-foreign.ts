import { BackupError, type KeyProvider, type Storage, throwIfInterrupted } from '@ydbackup/core'
import { dumpLayout, encryption, type FolderTree, type FoundObject, layout, type MappedItem } from '@ydbackup/format'

import { shownNames } from '../events/shown-names.ts'
import { createKeyring } from '../encryption/keyring.ts'
import { openForeignCipher } from './foreign-cipher.ts'
import { decryptedFiles, type ForeignFiles } from './foreign-files.ts'
import { checkSidecar, readSmall } from './read-small.ts'

/** An object in files that another tool wrote, and its path below the root of what was written. */
export interface ForeignObject {
	readonly path: string
	readonly found: FoundObject
}

export interface ForeignDirectory {
	readonly path: string
	/** Key of its rights, where there are any. */
	readonly permissionsKey: string | undefined
}

/** What lies at a place: a `ydb tools dump`, or an export by the cluster (`ydb export s3`), in either of its styles. */
export interface Foreign {
	readonly layout: 'dump' | 'export'
	readonly files: ForeignFiles
	readonly objects: readonly ForeignObject[]
	readonly directories: readonly ForeignDirectory[]
	/** Objects that the mapping names and whose folder has no file that says what they are. */
	readonly unknown: readonly { readonly path: string; readonly folder: string }[]
	/** What is there and is no object: accounts and rights of a database. */
	readonly leftOut: readonly { readonly path: string; readonly reason: string }[]
	readonly warnings: readonly string[]
}

export interface OpenForeignOptions {
	readonly storage: Storage
	/** What an object that lies at the place itself is called: the last name of the location. */
	readonly name: string
	/** For an export that is encrypted. */
	readonly keys?: readonly KeyProvider[] | undefined
	/** Users, groups and the rights on the database are wanted: they are not left out. */
	readonly withAccounts?: boolean | undefined
	readonly signal?: AbortSignal | undefined
}

const KIND = 'SchemaMapping/metadata.json'
const MAPPING = 'SchemaMapping/mapping.json'

/**
 * Lists a place and says what its folders are. Errors: `BACKUP_NOT_FOUND` for one that holds neither a dump nor an export, `FORMAT_INVALID`
 * for one that is not finished or cannot be read, `CONFIG_INVALID` for a repository; `KEY_REQUIRED`, `KEY_WRONG`,
 * `KEY_UNAVAILABLE`, `UNSUPPORTED` for an encrypted one.
 */
export async function openForeign(options: OpenForeignOptions): Promise<Foreign> {
	const { storage, signal } = options
	const tree = new dumpLayout.FolderTree()
	for await (const { key, size } of storage.list('', { signal })) {
		throwIfInterrupted(signal, `listing ${storage.location}`)
		tree.add(key, size)
	}
	const root = tree.files('')
	if (root.has(layout.repositoryKey)) {
		throw new BackupError('CONFIG_INVALID', `${storage.location} is a repository of ydbackup`, {
			advice:
				'give it with --repo, and name a backup; or give the folder of one backup in it to read that without its manifest',
		})
	}
	const isObject = Array.from(root.keys()).some((name) => name === dumpLayout.SCHEME || name.startsWith('create_'))
	const isMapped = root.has(dumpLayout.METADATA) && !(isObject && !tree.files('SchemaMapping').has('mapping.json'))
	const foreign = isMapped ? await openMapped(options, tree) : openFolders(options, tree)
	const hasAccounts = options.withAccounts === true && dumpLayout.ACCOUNTS.some((file) => root.has(file))
	const found = [foreign.objects, foreign.directories, foreign.unknown, foreign.leftOut]
	if (!hasAccounts && found.every((list) => list.length === 0)) {
		throw new BackupError('BACKUP_NOT_FOUND', `${storage.location} holds neither a dump nor an export of YDB`, {
			advice:
				'give the folder that ydb tools dump wrote, or the prefix that ydb export was given: the place of metadata.json or of the tables',
		})
	}
	return foreign
}

/** A dump, or an export whose objects lie each at a prefix of its own: paths are those of folders. */
function openFolders({ storage, name, withAccounts = false }: OpenForeignOptions, tree: FolderTree): Foreign {
	if (tree.files('SchemaMapping').size > 0) {
		throw new BackupError('FORMAT_INVALID', `${storage.location} has a SchemaMapping and no metadata.json`, {
			advice:
				'the export was not finished, or its metadata.json is lost: restore from another copy, or give one folder in it',
		})
	}
	const { objects, directories } = dumpLayout.findObjects(tree)
	const isExport = objects.some(({ files }) => files.has(dumpLayout.METADATA))
	const root = tree.files('')
	const hasObject = objects.some(({ folder }) => folder === '')
	const accounts = dumpLayout.ACCOUNTS.filter((file) => (root.get(file) ?? 0) > 0)
	const leftOut: Foreign['leftOut'][number][] = []
	if (accounts.length > 0 && !withAccounts) {
		leftOut.push({ path: '', reason: `users and groups are not restored: see ${accounts.join(', ')}` })
	}
	if (!hasObject && !withAccounts && (root.get(dumpLayout.PERMISSIONS) ?? 0) > 0) {
		leftOut.push({ path: '', reason: 'owner and grants of the database itself are not restored: see permissions.pb' })
	}
	return {
		layout: isExport ? 'export' : 'dump',
		files: { storage, tree },
		// An empty directory is one, and its marker says no more.
		objects: objects
			.filter(({ kind }) => kind !== 'empty-directory')
			.map((found) => ({ path: found.folder === '' ? name : found.folder, found })),
		directories: [...directories, ...objects.filter(({ kind }) => kind === 'empty-directory')].map(
			({ folder, files }) => ({
				path: folder === '' ? name : folder,
				permissionsKey: files.has(dumpLayout.PERMISSIONS) ? join(folder, dumpLayout.PERMISSIONS) : undefined,
			}),
		),
		unknown: [],
		leftOut,
		warnings: [],
	}
}

/** An export with a common prefix: its mapping says what each folder is. */
async function openMapped(options: OpenForeignOptions, stored: FolderTree): Promise<Foreign> {
	const { storage, signal } = options
	const rootBytes = await readSmall({ storage, tree: stored }, dumpLayout.METADATA, signal)
	const { encryption: cipher, checksum } = layout.readRootMetadata(rootBytes, dumpLayout.METADATA)
	const { files, open } = await decrypted(options, stored, cipher)
	const { tree } = files
	if (checksum) await checkSidecar(files, dumpLayout.METADATA, rootBytes, signal)
	const kindBytes = await readSmall(files, KIND, signal)
	layout.readSchemaMappingMetadata(kindBytes, KIND)
	const bytes = await readSmall(files, MAPPING, signal)
	if (checksum) {
		await checkSidecar(files, KIND, kindBytes, signal)
		await checkSidecar(files, MAPPING, bytes, signal)
	}
	const items = layout.readSchemaMapping(bytes, MAPPING)
	files.cipher?.place(items)
	const below = foldersBelow(tree, items)
	const objects: ForeignObject[] = []
	const unknown: Foreign['unknown'][number][] = []
	for (const { path, exportPrefix: folder } of items) {
		const found = dumpLayout.findObject(tree, folder, below.get(folder) ?? [])
		if (found === undefined) unknown.push({ path, folder })
		else objects.push({ path, found })
	}
	const strangers = (below.get('') ?? []).filter((folder) => folder !== 'SchemaMapping' && tree.files(folder).size > 0)
	return {
		layout: 'export',
		files,
		objects,
		directories: [],
		unknown,
		leftOut: [],
		warnings: [
			...(strangers.length === 0
				? []
				: [`the mapping does not name ${shown(strangers)}: nothing in there is restored`]),
			...open.slice(0, SHOWN).map((key) => `${key} is not encrypted although the export is: it is not read`),
		],
	}
}

/** The folders within each object's; those that are within none are under the empty path. */
function foldersBelow(tree: FolderTree, items: readonly MappedItem[]): ReadonlyMap<string, string[]> {
	const below = new Map<string, string[]>(items.map(({ exportPrefix }) => [exportPrefix, []]))
	const outside: string[] = []
	for (const [folder] of tree.folders()) {
		if (folder === '' || below.has(folder)) continue
		let top = folder
		while (top !== '' && !below.has(top)) top = top.slice(0, Math.max(0, top.lastIndexOf('/')))
		if (top === '') outside.push(folder)
		else below.get(top)!.push(folder)
	}
	return below.set('', outside)
}

const SHOWN = 10

function shown(names: readonly string[]): string {
	return `${names.length === 1 ? 'the folder' : 'the folders'} ${shownNames(names, SHOWN)}`
}

/** The files behind their encryption, where there is one. */
async function decrypted(
	{ storage, keys = [], signal }: OpenForeignOptions,
	tree: FolderTree,
	name: string | undefined,
): Promise<{ readonly files: ForeignFiles; readonly open: readonly string[] }> {
	if (name === undefined) return { files: { storage, tree }, open: [] }
	const algorithm = encryption.readAlgorithm(name)
	if (algorithm === undefined) {
		throw new BackupError('UNSUPPORTED', `${storage.location} is encrypted with ${name}, which is not known`, {
			advice: "restore it with YDB's own import",
		})
	}
	const first = await readSmall({ storage, tree }, `${KIND}${layout.encryptedSuffix}`, signal)
	return decryptedFiles(storage, tree, await openForeignCipher(storage, algorithm, first, createKeyring(keys, signal)))
}

export function join(folder: string, name: string): string {
	return folder === '' ? name : `${folder}/${name}`
}
