import { canonicalJson, type JsonValue } from '../json/canonical-json.ts'
import { Fields } from '../json/fields.ts'
import { type Complain, parseJson } from '../json/parse-json.ts'
import { complainAbout, isRelativePath } from '../layout/metadata.ts'
import type { ManifestNote } from './manifest.ts'

/** `catalog/<id>/objects.json`: what the native layout has no place for. */
export interface ObjectsFile {
	readonly version: 1
	readonly directories: readonly StoredDirectoryEntry[]
	/** By prefix: the whole scheme as protobuf text with unknown fields, where `scheme.pb` had to leave some out. */
	readonly schemes?: Readonly<Record<string, string>> | undefined
	/** By prefix, for every change table: what its table was at the end of the link. */
	readonly links?: Readonly<Record<string, StoredLink>> | undefined
	/** By prefix: the names of an object's changefeeds or rate limiters, in the order of their folders. */
	readonly parts?: Readonly<Record<string, readonly string[]>> | undefined
	/** Users with the hashes of their passwords, and groups; only where they were asked for. */
	readonly accounts?: StoredAccounts | undefined
	/** Of an encrypted backup: what its manifest does not say in the open. */
	readonly sealed?: SealedNames | undefined
}

export interface StoredAccounts {
	readonly users: readonly { readonly name: string; readonly passwordHash: string; readonly mayLogIn: boolean }[]
	readonly groups: readonly { readonly name: string; readonly members: readonly string[] }[]
	/** Of the database itself, as {@link StoredDirectoryEntry.permissions}. */
	readonly permissions: string
}

export interface SealedNames {
	/** By prefix: the path of the object, relative to the database. */
	readonly names: Readonly<Record<string, string>>
	readonly paths: readonly string[]
	readonly notes: readonly ManifestNote[]
}

export interface StoredLink {
	/** The table's own `CreateTableRequest` as protobuf text, with unknown fields. `scheme.pb` is that of the change table. */
	readonly scheme: string
	/** The table was not there before, or was another one: nothing of earlier links counts. */
	readonly isNew: boolean
	/** Ids inside the cluster → names of columns; ids are decimal. */
	readonly columns: Readonly<Record<string, string>>
}

export interface StoredDirectoryEntry {
	/** Relative to the database; empty for the database itself. */
	readonly path: string
	/** `Ydb.Scheme.ModifyPermissionsRequest` without path, as protobuf text. */
	readonly permissions: string
}

const LARGEST = 256 << 20
const LONGEST_TEXT = 64 << 20

export function encodeObjects(objects: ObjectsFile): Uint8Array {
	return Buffer.from(canonicalJson(objects as unknown as JsonValue))
}

/** Errors: `FORMAT_INVALID` naming `where`. Texts are not parsed. */
export function decodeObjects(bytes: Uint8Array, where: string): ObjectsFile {
	const complain = complainAbout(where)
	const fields = new Fields(parseJson(bytes, { maxBytes: LARGEST }, complain), '', complain)
	const version = fields.count('version')
	if (version !== 1) throw complain(`has version ${version}, which this version of ydbackup does not know`)
	const seen = new Set<string>()
	const directories = fields.list('directories').map((directory) => {
		const path = directory.text('path', { max: 16_384 })
		if (path !== '' && !isRelativePath(path)) throw directory.bad('path', 'is no path', path)
		if (seen.has(path)) throw directory.bad('path', 'is there twice', path)
		seen.add(path)
		return { path, permissions: directory.text('permissions', { max: LONGEST_TEXT }) }
	})
	const schemes = fields.has('schemes') ? fields.textRecord('schemes', { max: LONGEST_TEXT }) : undefined
	const links = fields.has('links') ? readLinks(fields) : undefined
	const parts = fields.has('parts') ? readParts(fields.fields('parts')) : undefined
	for (const prefix of [schemes, links, parts].flatMap((each) => Object.keys(each ?? {}))) {
		if (!/^\d{3,16}$/u.test(prefix))
			throw complain(`has a scheme of ${JSON.stringify(prefix.slice(0, 80))}, which is no folder`)
	}
	const accounts = fields.has('accounts') ? readAccounts(fields.fields('accounts')) : undefined
	const sealed = fields.has('sealed') ? readSealed(fields.fields('sealed'), complain) : undefined
	return {
		version: 1,
		directories,
		...(schemes && { schemes }),
		...(links && { links }),
		...(parts && { parts }),
		...(accounts && { accounts }),
		...(sealed && { sealed }),
	}
}

function readParts(fields: Fields): Record<string, readonly string[]> {
	return Object.fromEntries(
		fields.entries().map(([prefix]) => {
			const names = fields.texts(prefix, { max: 16_384 })
			for (const name of names)
				if (!isRelativePath(name)) throw fields.bad(prefix, 'has what is no name of a part', name)
			if (new Set(names).size < names.length) throw fields.bad(prefix, 'has a part twice', prefix)
			return [prefix, names]
		}),
	)
}

function readAccounts(fields: Fields): StoredAccounts {
	const name = { max: 1024 }
	return {
		users: fields.list('users').map((user) => ({
			name: user.text('name', name),
			passwordHash: user.text('passwordHash', { max: 65_536 }),
			mayLogIn: user.flag('mayLogIn'),
		})),
		groups: fields.list('groups').map((group) => ({
			name: group.text('name', name),
			members: group.texts('members', name),
		})),
		permissions: fields.text('permissions', { max: LONGEST_TEXT }),
	}
}

function readSealed(fields: Fields, complain: Complain): SealedNames {
	const names = fields.textRecord('names', { max: 16_384 })
	for (const path of Object.values(names))
		if (!isRelativePath(path)) throw fields.bad('names', 'has what is no path', path)
	if (new Set(Object.values(names)).size < Object.keys(names).length) throw complain('has two objects of one name')
	return {
		names,
		paths: fields.texts('paths', { max: 16_384 }),
		notes: fields.list('notes').map((note) => ({
			path: note.text('path', { max: 16_384 }),
			kind: note.text('kind'),
			reason: note.text('reason', { max: 4096 }),
		})),
	}
}

function readLinks(fields: Fields): Record<string, StoredLink> {
	const links = fields.fields('links')
	return Object.fromEntries(
		links.entries().map(([prefix]) => {
			const link = links.fields(prefix)
			const columns = link.textRecord('columns', { max: 1024 })
			for (const id of Object.keys(columns)) {
				if (!/^(?:0|[1-9]\d{0,9})$/u.test(id)) throw link.bad('columns', 'has an id that is none', id)
			}
			return [prefix, { scheme: link.text('scheme', { max: LONGEST_TEXT }), isNew: link.flag('isNew'), columns }]
		}),
	)
}
