import type { BackupError, ErrorCode, Retry } from '@ydbackup/core'

/** The version of the envelope and of the progress lines; it rises when a field changes its meaning. */
export const ENVELOPE_VERSION = 1

export interface EnvelopeError {
	readonly code: ErrorCode
	readonly message: string
	readonly advice?: string
	readonly retry: Retry
	readonly reason?: string
}

/** The one document that `--json` writes to stdout. `error` is there if and only if the exit code is not 0. */
export interface Envelope {
	readonly ydbackup: typeof ENVELOPE_VERSION
	/** Words of the command: `backup create`; empty when none was recognised. */
	readonly command: string
	/** Beside an error only where the command has something to report about it, as `backup verify` has its findings. */
	readonly result?: unknown
	readonly error?: EnvelopeError
}

export function envelopeOf(
	command: string,
	outcome: { result?: unknown; failure?: BackupError | undefined },
): Envelope {
	const { result, failure } = outcome
	return {
		ydbackup: ENVELOPE_VERSION,
		command,
		...(result === undefined ? {} : { result }),
		...(failure === undefined ? {} : { error: envelopeError(failure) }),
	}
}

function envelopeError(failure: BackupError): EnvelopeError {
	const { code, message, advice, retry, reason } = failure
	return {
		code,
		message,
		...(advice === undefined ? {} : { advice }),
		retry,
		...(reason === undefined ? {} : { reason }),
	}
}

/** One line, so that it can be told from anything else by `wc -l`; bigints as decimal strings. */
export function envelopeText(envelope: Envelope): string {
	return `${JSON.stringify(envelope, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`
}
