import { BackupError } from '@ydbackup/core'
import { canonicalJson, Fields, parseJson } from '@ydbackup/format'

/** That a key has opened a backup: the first time on a day. */
export interface KeyUse {
	readonly keyId: string
	readonly backup: string
	/** RFC 3339, by the client's clock. */
	readonly at: string
	readonly by: 'backup' | 'verify' | 'restore' | 'export'
}

export const MAX_KEY_USE_BYTES: number = 4 << 10

export function encodeKeyUse({ keyId, backup, at, by }: KeyUse): Uint8Array {
	return Buffer.from(canonicalJson({ version: 1, keyId, backup, at, by }))
}

/** Errors: `REPOSITORY_DAMAGED` naming `where`. */
export function decodeKeyUse(bytes: Uint8Array, where: string): KeyUse {
	function complain(what: string, cause?: unknown): BackupError {
		return new BackupError('REPOSITORY_DAMAGED', `${where} ${what}`, {
			advice: 'it says only when a key was used; delete it if nothing else is wrong',
			cause,
		})
	}
	const fields = new Fields(parseJson(bytes, { maxBytes: MAX_KEY_USE_BYTES }, complain), '', complain)
	const by = fields.text('by')
	return {
		keyId: fields.text('keyId', { like: [/^[0-9a-f]{32}$/u, 'id of a key'] }),
		backup: fields.text('backup', { max: 64 }),
		at: fields.text('at', { max: 40, like: [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u, 'time'] }),
		by: by === 'verify' || by === 'backup' || by === 'export' ? by : 'restore',
	}
}
