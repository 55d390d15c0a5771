import { BackupError } from '@ydbackup/core'
import { readCompression } from '../compression/compression.ts'
import { canonicalMembers, type JsonValue } from '../json/canonical-json.ts'
import { Fields, type TextRule } from '../json/fields.ts'
import { type Complain, parseJson } from '../json/parse-json.ts'
import { isRelativePath } from '../layout/metadata.ts'
import { readAlgorithm } from '../encryption/algorithm.ts'
import { checkWhole } from './check-manifest.ts'
import { readFile, readObject, TIME } from './decode-entries.ts'
import { hashUnderMac, MAX_MANIFEST_BYTES, sealMembers } from './encode-manifest.ts'
import type { Manifest } from './manifest.ts'

const ID: TextRule = { max: 64, like: [/^[0-9A-Za-z][0-9A-Za-z_-]*$/u, 'id'] }
const ROWS: TextRule = { like: [/^(?:0|[1-9]\d{0,24})$/u, 'number of rows'] }
const HEX: TextRule = { like: [/^[0-9a-f]{64}$/u, 'SHA-256'] }

/**
 * Reads a manifest and believes nothing: `where` names it in errors. `MANIFEST_VERSION` for what a newer version wrote, `MANIFEST_INVALID`
 * for everything that is not exactly what {@link encodeManifest} gave, that contradicts itself, or that would lead out of the backup.
 * Fields that are not known are ignored, but covered by the hash.
 */
export function decodeManifest(bytes: Uint8Array, where: string): Manifest {
	const complain = complainAbout(where)
	const value = parseJson(bytes, { maxBytes: MAX_MANIFEST_BYTES }, complain)
	const fields = new Fields(value, '', complain)
	if (fields.text('ydbackup') !== 'manifest') throw complain('is no manifest of ydbackup')
	const version = fields.count('version')
	if (version !== 1) throw newer(where, `version ${version}`)

	const sha256 = fields.text('sha256', HEX)
	const members = checkSeal(value, bytes, sha256, complain)
	const manifest = readManifest(fields, where, sha256)
	if (manifest.mac !== undefined && manifest.mac.over !== hashUnderMac(members))
		throw complain('has a mac of something else')
	checkWhole(manifest, complain)
	return manifest
}

/** The hash, and that there is but one spelling: a byte that was changed anywhere is seen. */
function checkSeal(value: JsonValue, bytes: Uint8Array, sha256: string, complain: Complain): [string, string][] {
	const members = canonicalMembers(value as { readonly [key: string]: JsonValue })
	const sealed = sealMembers(members.filter(([key]) => key !== 'sha256'))
	if (sealed.sha256 !== sha256) throw complain(`has SHA-256 ${sealed.sha256}, and ${sha256} was written`)
	if (!Buffer.from(sealed.text).equals(bytes)) throw complain('is not spelt as it was written')
	return members
}

function readManifest(fields: Fields, where: string, sha256: string): Manifest {
	function oneOf<const T extends string>(from: Fields, name: string, known: readonly T[]): T {
		const value = from.text(name)
		const found = known.find((one) => one === value)
		if (found === undefined) throw newer(where, `${name} ${JSON.stringify(value.slice(0, 80))}`)
		return found
	}
	const compression = readCompression(fields.text('compression'))
	if (compression === undefined) throw newer(where, `compression ${fields.text('compression').slice(0, 80)}`)
	const tool = fields.fields('tool')
	const source = fields.fields('source')
	const serverVersion = source.textIf('serverVersion')
	const parent = fields.has('parent') ? fields.fields('parent') : undefined
	const id = fields.text('id', ID)
	return {
		ydbackup: 'manifest',
		version: 1,
		id,
		repository: fields.text('repository', ID),
		kind: oneOf(fields, 'kind', ['full', 'incremental']),
		...(parent === undefined
			? {}
			: { parent: { id: parent.text('id', ID), manifestSha256: parent.text('manifestSha256', HEX) } }),
		createdAt: fields.text('createdAt', TIME),
		finishedAt: fields.text('finishedAt', TIME),
		tool: { name: tool.text('name'), version: tool.text('version') },
		source: {
			database: source.text('database'),
			...(serverVersion === undefined ? {} : { serverVersion }),
			...(source.has('collection') && { collection: readCollection(source.fields('collection')) }),
		},
		snapshotAfter: fields.text('snapshotAfter', TIME),
		snapshotBefore: fields.text('snapshotBefore', TIME),
		clock: oneOf(fields, 'clock', ['server', 'client']),
		...(fields.has('keptCopy') && { keptCopy: fields.flag('keptCopy') }),
		layout: oneOf(fields, 'layout', ['native-export-1']),
		compression,
		readBack: oneOf(fields, 'readBack', ['done', 'unavailable']),
		labels: fields.textRecord('labels', { max: 4096 }),
		paths: fields.texts('paths', { max: 16_384 }).map((path) => {
			if (path !== '' && !isRelativePath(path)) throw fields.bad('paths', 'is no list of paths', path)
			return path
		}),
		objects: fields.list('objects').map((object) => readObject(object, (name, known) => oneOf(object, name, known))),
		files: fields.list('files').map((file) => readFile(file, id, (name, known) => oneOf(file, name, known))),
		counts: readCounts(fields.fields('counts')),
		notes: fields.list('notes').map((note) => ({
			path: note.text('path', { max: 16_384 }),
			kind: note.text('kind'),
			reason: note.text('reason', { max: 4096 }),
		})),
		...readEncryption(fields, where),
		sha256,
	}
}

function readCollection(fields: Fields): Manifest['source']['collection'] {
	return {
		name: fields.text('name', { max: 1024 }),
		link: fields.text('link', { max: 1024 }),
		schemesReadAt: fields.text('schemesReadAt', TIME),
	}
}

function readCounts(fields: Fields): Manifest['counts'] {
	return {
		tables: fields.count('tables'),
		directories: fields.count('directories'),
		...(fields.has('objects') && { objects: fields.count('objects') }),
		...(fields.has('rows') && { rows: fields.text('rows', ROWS) }),
		...(fields.has('plainBytes') && { plainBytes: fields.count('plainBytes') }),
		storedBytes: fields.count('storedBytes'),
		files: fields.count('files'),
	}
}

function complainAbout(where: string): Complain {
	return (what, cause) =>
		new BackupError('MANIFEST_INVALID', `${where} ${what}`, {
			advice: 'the manifest is not what was committed; use another backup, or another copy of this one',
			cause,
		})
}

function newer(where: string, what: string): BackupError {
	return new BackupError('MANIFEST_VERSION', `${where} has ${what}, which this version of ydbackup does not know`, {
		advice: 'use a newer version of ydbackup',
	})
}

const KEY_ID: TextRule = { like: [/^[0-9a-f]{32}$/u, 'id of a key'] }
const IV: TextRule = { like: [/^[0-9A-F]{24}$/u, 'IV'] }

function readEncryption(fields: Fields, where: string): Pick<Manifest, 'encryption' | 'mac'> {
	if (!fields.has('encryption')) {
		if (fields.has('mac')) throw complainAbout(where)('has a mac and is not encrypted')
		return {}
	}
	const encryption = fields.fields('encryption')
	const name = encryption.text('algorithm')
	const algorithm = readAlgorithm(name)
	if (algorithm !== name) throw newer(where, `encryption ${JSON.stringify(name.slice(0, 80))}`)
	const mac = fields.fields('mac')
	const besideIv = encryption.textIf('besideIv', IV)
	return {
		encryption: {
			algorithm,
			keyId: encryption.text('keyId', KEY_ID),
			iv: encryption.text('iv', IV),
			...(besideIv !== undefined && { besideIv }),
		},
		mac: { over: mac.text('over', HEX), tag: mac.text('tag', HEX) },
	}
}
