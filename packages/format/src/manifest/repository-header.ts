import { BackupError } from '@ydbackup/core'
import { canonicalJson } from '../json/canonical-json.ts'
import { Fields } from '../json/fields.ts'
import { parseJson } from '../json/parse-json.ts'

/** `ydbackup.json`: written once, when a repository is made. */
export interface RepositoryHeader {
	readonly ydbackup: 'repository'
	readonly version: 1
	/** Lower-case letters and digits: it becomes part of names in databases. */
	readonly id: string
	/** RFC 3339, UTC. */
	readonly createdAt: string
}

export const MAX_HEADER_BYTES: number = 64 << 10

export function encodeRepositoryHeader(header: RepositoryHeader): Uint8Array {
	const { ydbackup, version, id, createdAt } = header
	return Buffer.from(`${canonicalJson({ ydbackup, version, id, createdAt })}\n`)
}

/** `REPOSITORY_VERSION` for a newer version, `REPOSITORY_DAMAGED` for anything that is no header. `where` names it. */
export function decodeRepositoryHeader(bytes: Uint8Array, where: string): RepositoryHeader {
	function complain(what: string, cause?: unknown): BackupError {
		return new BackupError('REPOSITORY_DAMAGED', `${where} ${what}`, {
			advice: 'restore this file from another copy of the repository; the backups themselves may be whole',
			cause,
		})
	}
	const fields = new Fields(parseJson(bytes, { maxBytes: MAX_HEADER_BYTES }, complain), '', complain)
	if (fields.text('ydbackup') !== 'repository') throw complain('is no header of a repository')
	const version = fields.count('version')
	if (version !== 1) {
		throw new BackupError(
			'REPOSITORY_VERSION',
			`${where} has version ${version}, and this version of ydbackup knows 1`,
			{
				advice: 'use a newer version of ydbackup',
			},
		)
	}
	return {
		ydbackup: 'repository',
		version: 1,
		id: fields.text('id', { like: [/^[0-9a-z]{4,32}$/u, 'id of a repository'] }),
		createdAt: fields.text('createdAt', {
			max: 40,
			like: [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u, 'time in RFC 3339 and UTC'],
		}),
	}
}
