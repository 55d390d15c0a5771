import { DEFINED_KINDS, isKey } from '@ydbackup/core'
import type { Fields, TextRule } from '../json/fields.ts'
import { addedPrefix, backupPrefix, besidePrefix, catalogPrefix } from '../layout/names.ts'
import { isRelativePath } from '../layout/metadata.ts'
import { FILE_ROLES, type ManifestFile, type ManifestObject, PROVENANCES } from './manifest.ts'

/** RFC 3339 and UTC. */
export const TIME: TextRule = {
	max: 40,
	like: [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u, 'time in RFC 3339 and UTC'],
}
const HEX: TextRule = { like: [/^[0-9a-f]{64}$/u, 'SHA-256'] }
const ROWS: TextRule = { like: [/^(?:0|[1-9]\d{0,24})$/u, 'number of rows'] }
const ROW_HASH: TextRule = { max: 128, like: [/^[\u0021-\u007E]*$/u, 'hash of rows'] }
const PREFIX: TextRule = { max: 16, like: [/^\d{3,}$/u, 'folder of an item'] }

/** Reads a word that must be one of those that are known; what is not known is of a newer version. */
export type OneOf = <const T extends string>(name: string, known: readonly T[]) => T

export function readObject(fields: Fields, oneOf: OneOf): ManifestObject {
	const path = fields.text('path', { max: 16_384 })
	const kind = oneOf('kind', [
		'row-table',
		'column-table',
		'change-table',
		'index-changes',
		'directory',
		...DEFINED_KINDS,
	])
	// The empty path is the database itself, which is a directory.
	if (!isRelativePath(path) && !(path === '' && kind === 'directory')) throw fields.bad('path', 'is no path', path)
	return dropAbsent({
		path,
		kind,
		prefix: fields.textIf('prefix', PREFIX),
		readAt: fields.textIf('readAt', TIME),
		parts: fields.countIf('parts'),
		rows: fields.textIf('rows', ROWS),
		rowHash: fields.textIf('rowHash', ROW_HASH),
		partitions: fields.countIf('partitions'),
		countedByServer: fields.flagIf('countedByServer'),
		plainBytes: fields.countIf('plainBytes'),
		state: readState(fields),
	})
}

function readState(fields: Fields): ManifestObject['state'] {
	if (!fields.has('state')) return undefined
	const state = fields.fields('state')
	return { rows: state.text('rows', ROWS), rowHash: state.text('rowHash', ROW_HASH) }
}

export function readFile(fields: Fields, id: string, oneOf: OneOf): ManifestFile {
	const key = fields.text('key')
	const object = fields.textIf('object', PREFIX)
	const role = oneOf('role', FILE_ROLES)
	const homes =
		role === 'objects'
			? [catalogPrefix(id)]
			: [backupPrefix(id), besidePrefix(id), ...(object ? [addedPrefix(id)] : [])]
	const within = object === undefined ? '/' : `/${object}/`
	if (!isKey(key) || !homes.some((home) => key.startsWith(`${home}${within}`)))
		throw fields.bad('key', `is no key below ${homes[0]}${within}`, key)
	return dropAbsent({
		key,
		size: fields.count('size'),
		sha256: fields.textIf('sha256', HEX),
		plainSize: fields.countIf('plainSize'),
		plainSha256: fields.textIf('plainSha256', HEX),
		role,
		object,
		partition: fields.countIf('partition'),
		rows: fields.countIf('rows'),
		rowHash: fields.textIf('rowHash', ROW_HASH),
		provenance: oneOf('provenance', PROVENANCES),
	})
}

function dropAbsent<T extends object>(record: T): T {
	for (const key of Object.keys(record) as (keyof T)[]) if (record[key] === undefined) delete record[key]
	return record
}
