import { ERROR_CODES, type ErrorCode, type ErrorKind } from './codes.ts'

/**
 * Whether the same call may be made again: `no`; `same`, at once and unchanged; `later`, unchanged after a pause.
 * It speaks about the call that threw, not about the whole run.
 */
export type Retry = 'no' | 'same' | 'later'

export interface BackupErrorOptions {
	readonly retry?: Retry
	/** What to do next, for a person: a fragment in lower case without a full stop. */
	readonly advice?: string
	/** For `later`: how long the other side asked us to wait, in milliseconds. */
	readonly retryAfterMs?: number
	/** A short machine-readable reason within the code, for example of `CHAIN_BROKEN`. */
	readonly reason?: string
	readonly cause?: unknown
}

const BRAND = Symbol.for('@ydbackup/BackupError')

/**
 * The one error of ydbackup. The message says what failed and on what; `advice` says what to do.
 *
 * Demands on those who throw: no secret in any field, and `cause` kept. Tell errors apart with {@link isBackupError} and
 * `code`, never with `instanceof`: a driver package may carry its own copy of this module.
 */
export class BackupError extends Error {
	override readonly name = 'BackupError'
	readonly code: ErrorCode
	readonly retry: Retry
	readonly advice: string | undefined
	readonly retryAfterMs: number | undefined
	readonly reason: string | undefined

	constructor(code: ErrorCode, message: string, options: BackupErrorOptions = {}) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause })
		this.code = code
		this.retry = options.retry ?? 'no'
		this.advice = options.advice
		this.retryAfterMs = options.retryAfterMs
		this.reason = options.reason
		Object.defineProperty(this, BRAND, { value: true })
	}

	get kind(): ErrorKind {
		return ERROR_CODES[this.code] ?? 'unexpected'
	}
}

/** True for a {@link BackupError} of any copy of this package; with `code`, only for that code. */
export function isBackupError(error: unknown, code?: ErrorCode): error is BackupError {
	if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
	return code === undefined || (error as unknown as BackupError).code === code
}

/** The error of an aborted signal: `INTERRUPTED`, unless the signal carries a BackupError of its own. */
export function interruption(signal: AbortSignal, doing: string): BackupError {
	if (isBackupError(signal.reason)) return signal.reason
	return new BackupError('INTERRUPTED', `stopped while ${doing}`, { cause: signal.reason })
}

/** Throws {@link interruption} when the signal is aborted. */
export function throwIfInterrupted(signal: AbortSignal | undefined, doing: string): void {
	if (signal?.aborted) throw interruption(signal, doing)
}
