import { throwIfInterrupted } from '@ydbackup/core'

/** Waits, or throws `INTERRUPTED` when stopped meanwhile; `doing` says in what. */
export async function sleep(milliseconds: number, signal: AbortSignal | undefined, doing: string): Promise<void> {
	if (signal?.aborted !== true) {
		await new Promise<void>((resolve) => {
			const timer = setTimeout(end, milliseconds)
			function end(): void {
				clearTimeout(timer)
				signal?.removeEventListener('abort', end)
				resolve()
			}
			signal?.addEventListener('abort', end, { once: true })
		})
	}
	throwIfInterrupted(signal, doing)
}
