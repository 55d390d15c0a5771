import { BackupError } from '@ydbackup/core'

/**
 * A signal for work that must be done although the run was stopped or failed (dropping copies, removing half-written files):
 * it ignores the run's own signal and has a bound instead.
 */
export function cleanupSignal(milliseconds: number, doing: string): AbortSignal {
	const stop = new AbortController()
	const timer = setTimeout(() => {
		stop.abort(new BackupError('DEADLINE_EXCEEDED', `${doing} took longer than ${milliseconds / 1000} s`))
	}, milliseconds)
	timer.unref()
	return stop.signal
}
