import { BackupError } from '@ydbackup/core'
import { canonicalJson, Fields, parseJson } from '@ydbackup/format'

/** `runs/<id>/run.json`: a run that has begun and not ended, and what it may have left in a database. */
export interface RunRecord {
	/** What kind of run it is: a backup when absent; a kind that this version does not know is shown and left alone. */
	readonly kind?: string | undefined
	readonly database: string
	/** Where the copies are, relative to the database; empty for a run that makes none. */
	readonly workDirectory: string
	/** RFC 3339. */
	readonly startedAt: string
	readonly host: string
	readonly pid: number
	/** See `Owner.scope`. */
	readonly scope?: string | undefined
	/** The backup collection that was being shipped: such a run leaves nothing in the database. */
	readonly collection?: string | undefined
	/** Of a restore: the backup. */
	readonly backup?: string | undefined
}

export const MAX_RUN_BYTES: number = 64 << 10

export function encodeRun({ database, workDirectory, startedAt, host, pid, ...rest }: RunRecord): Uint8Array {
	const { kind, scope, collection, backup } = rest
	const run = { ydbackup: 'run', version: 1, database, workDirectory, startedAt, host, pid }
	return Buffer.from(canonicalJson({ ...run, kind, scope, collection, backup }))
}

/** Errors: `FORMAT_INVALID` naming `where`. */
export function decodeRun(bytes: Uint8Array, where: string): RunRecord {
	function complain(what: string, cause?: unknown): BackupError {
		return new BackupError('FORMAT_INVALID', `${where} ${what}`, {
			advice: 'look for copies of tables that this run may have left in the database',
			cause,
		})
	}
	const fields = new Fields(parseJson(bytes, { maxBytes: MAX_RUN_BYTES }, complain), '', complain)
	if (fields.text('ydbackup') !== 'run') throw complain('is no record of a run')
	if (fields.count('version') !== 1) throw complain('was written by a newer version')
	const kind = fields.textIf('kind', { max: 64 })
	const scope = fields.textIf('scope')
	const collection = fields.textIf('collection', { max: 1024 })
	const backup = fields.textIf('backup', { max: 64 })
	return {
		...(kind === undefined ? {} : { kind }),
		database: fields.text('database', { max: 16_384 }),
		workDirectory: fields.text('workDirectory', { max: 16_384 }),
		startedAt: fields.text('startedAt'),
		host: fields.text('host'),
		pid: fields.count('pid'),
		...(scope === undefined ? {} : { scope }),
		...(collection === undefined ? {} : { collection }),
		...(backup === undefined ? {} : { backup }),
	}
}
