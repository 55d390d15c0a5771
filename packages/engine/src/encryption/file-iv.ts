import { BackupError } from '@ydbackup/core'
import { encryption, layout, type ManifestFile } from '@ydbackup/format'

/** A file as far as its IV goes. */
export type PlacedFile = Pick<ManifestFile, 'key' | 'role' | 'object' | 'partition'>

/**
 * The IV of a file of an encrypted backup, from what it is and where it belongs; undefined for files that stay open. No two files of one
 * backup have the same.
 */
export function ivOfFile(exportIv: Uint8Array, file: PlacedFile): Uint8Array | undefined {
	const { key, role, object, partition } = file
	if (role === 'checksum') return undefined
	if (object === undefined) {
		if (role === 'objects') return encryption.fileIv(exportIv, 'objects')
		if (role === 'metadata') return undefined
		if (role === 'mapping') return encryption.fileIv(exportIv, isMapping(key) ? 'mapping' : 'metadata')
		throw misplaced(key)
	}
	const item = encryption.itemIv(exportIv, Number(object))
	if (role === 'data' && partition !== undefined) return encryption.fileIv(item, 'data', partition)
	if (role === 'scheme' && isTopic(key)) return encryption.fileIv(item, 'topicCreate')
	if (role === 'metadata' || role === 'permissions' || role === 'scheme') return encryption.fileIv(item, role)
	if (partition === undefined) throw misplaced(key)
	if (role === 'changefeed' || role === 'topic') return encryption.fileIv(item, role, partition)
	if (role === 'rate-limiter') return encryption.fileIv(item, 'rateLimiter', partition)
	throw misplaced(key)
}

/** Whether it is `mapping.json`, and not the file beside it that says what kind it is. */
export function isMapping(key: string): boolean {
	return key.endsWith('/mapping.json') || key.endsWith(`/mapping.json${layout.encryptedSuffix}`)
}

function isTopic(key: string): boolean {
	const name = `/${layout.definitionName('topic')}`
	return key.endsWith(name) || key.endsWith(`${name}${layout.encryptedSuffix}`)
}

function misplaced(key: string): BackupError {
	return new BackupError('MANIFEST_INVALID', `${key} has no place in an encrypted backup`, {
		advice: 'use another backup, or another copy of this one',
	})
}
