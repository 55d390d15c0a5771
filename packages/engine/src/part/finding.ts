import { BackupError, type ErrorCode, isBackupError } from '@ydbackup/core'

/** Something that is wrong with a backup. */
export interface Finding {
	/** The object on storage, relative to the repository. */
	readonly key: string
	/** The table or directory that it belongs to, relative to the database; undefined for the backup as a whole. */
	readonly path?: string | undefined
	readonly code: ErrorCode
	readonly message: string
	/**
	 * `data`: what the backup holds cannot be trusted. `native`: all of it is there, and YDB's own import would stumble; a restore
	 * by this tool does not need the file.
	 */
	readonly severity: 'data' | 'native'
}

/** Errors of other kinds that speak about what a backup holds. */
const OF_CONTENT = new Set<ErrorCode>(['TYPE_UNKNOWN', 'CHAIN_BROKEN', 'ROWS_OUT_OF_ORDER'])

/** Turns an error about content into a finding; throws it again when it says nothing about content (a store that is away). */
export function findingOf(error: unknown, key: string, severity: Finding['severity'], path?: string): Finding {
	const isContent = isBackupError(error) && (error.kind === 'damaged' || OF_CONTENT.has(error.code))
	if (!isContent) throw error
	return { key, code: error.code, message: error.message, severity, ...(path === undefined ? {} : { path }) }
}

/** One error for all findings: the first one's code, and the first ten by name. */
export function errorOf(findings: readonly Finding[], id: string): BackupError {
	const first = findings[0]
	const shown = findings.slice(0, 10).map((finding) => finding.message)
	const more = findings.length > shown.length ? `; and ${findings.length - shown.length} more` : ''
	const paths = new Set(findings.flatMap((finding) => finding.path ?? []))
	const isNative = findings.every((finding) => finding.severity === 'native')
	return new BackupError(first?.code ?? 'INTERNAL', `backup ${id} is not whole: ${shown.join('; ')}${more}`, {
		advice: isNative
			? "only files for YDB's own import are damaged: the rows can be restored by accepting that"
			: paths.size > 0
				? `nothing was written; restore from another backup, or leave out ${Array.from(paths).slice(0, 10).join(', ')}`
				: 'nothing was written; restore from another backup',
	})
}
