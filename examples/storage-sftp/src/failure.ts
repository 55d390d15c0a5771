import { BackupError, type ErrorCode, isBackupError, type Retry } from '@ydbackup/core'

/** Status codes of SFTP, version 3, and the two of later versions that tell of room. */
export const STATUS = {
	EOF: 1,
	NO_SUCH_FILE: 2,
	PERMISSION_DENIED: 3,
	FAILURE: 4,
	BAD_MESSAGE: 5,
	OP_UNSUPPORTED: 8,
	NO_SPACE: 14,
	QUOTA_EXCEEDED: 15,
} as const

export function statusOf(error: unknown): number | undefined {
	const code = (error as { code?: unknown } | null)?.code
	return typeof code === 'number' && !isBackupError(error) ? code : undefined
}

const KINDS: Readonly<Record<number, readonly [ErrorCode, why: string, advice: string]>> = {
	[STATUS.NO_SUCH_FILE]: ['STORAGE_NOT_FOUND', 'no such file', 'check that the repository was not moved'],
	[STATUS.PERMISSION_DENIED]: [
		'STORAGE_PERMISSION',
		'the server refuses',
		'give the user the right to use the directory',
	],
	[STATUS.BAD_MESSAGE]: ['STORAGE_PERMANENT', 'the server does not take the name', 'use shorter names'],
	[STATUS.OP_UNSUPPORTED]: ['STORAGE_UNSUPPORTED', 'the server cannot do that', 'use another server'],
	[STATUS.NO_SPACE]: ['STORAGE_QUOTA', 'no room is left', 'make room on the server'],
	[STATUS.QUOTA_EXCEEDED]: ['STORAGE_QUOTA', 'the quota is used up', 'raise the quota of the user'],
}

/** The error of the contract for an error of the client or the server. */
export function storageError(error: unknown, doing: string): BackupError {
	if (isBackupError(error)) return error
	const message = error instanceof Error ? error.message : String(error)
	const [code, why, advice] = KINDS[statusOf(error) ?? -1] ?? ['STORAGE_PERMANENT', message, undefined]
	if (/no space|disk full|quota/i.test(message))
		return new BackupError('STORAGE_QUOTA', `${doing}: ${message}`, { advice: 'make room on the server', cause: error })
	return new BackupError(code, `${doing}: ${why}`, { cause: error, ...(advice !== undefined && { advice }) })
}

const TEMPORARY: ReadonlySet<string> = new Set([
	'ECONNREFUSED',
	'ECONNRESET',
	'ECONNABORTED',
	'EPIPE',
	'ETIMEDOUT',
	'EHOSTUNREACH',
	'ENETUNREACH',
	'EAI_AGAIN',
])

/** The error of the contract for a connection that could not be made. */
export function connectionError(error: unknown, shown: string, user: string): BackupError {
	if (isBackupError(error)) return error
	const {
		level = '',
		code = '',
		message = String(error),
	} = error as { level?: string; code?: string; message?: string }
	const failed = (kind: ErrorCode, why: string, advice: string, retry: Retry = 'no'): BackupError =>
		new BackupError(kind, `cannot open ${shown}: ${why}`, { advice, retry, cause: error })
	if (level === 'client-authentication')
		return failed(
			'STORAGE_PERMISSION',
			`the server does not let the user ${user} in`,
			'check the user and its key, agent or password (YDBACKUP_SFTP_PASSWORD)',
		)
	if (level === 'client-dns' || code === 'ENOTFOUND')
		return failed('STORAGE_PERMANENT', `the host has no address (${code || message})`, 'check the name of the host')
	if (level === 'client-timeout')
		return failed(
			'STORAGE_TRANSIENT',
			'the server does not answer',
			'check the host, the port and what is between',
			'later',
		)
	if (TEMPORARY.has(code) || level === '' || level === 'client-socket' || /closed|lost|ended|reset/i.test(message))
		return failed('STORAGE_TRANSIENT', code || message, 'check the host, the port and what is between', 'later')
	return failed('STORAGE_PERMANENT', message, 'check that it is an SSH server with SFTP')
}
