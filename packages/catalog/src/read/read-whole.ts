import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'

/** How often an object is opened again when its body broke off. Opening itself is retried by the storage wrapper. */
const ATTEMPTS = 4
const PAUSE_MS = 200

/** A whole small object. It is never larger in memory than `maxBytes`: then `tooLarge` makes the error. */
export async function readWhole(
	storage: Storage,
	key: string,
	maxBytes: number,
	tooLarge: (size: number) => BackupError,
	options: CallOptions = {},
): Promise<Uint8Array> {
	for (let attempt = 1; ; attempt++) {
		const body = await storage.get(key, options)
		if (body.info.size > maxBytes) {
			await abandon(body.bytes)
			throw tooLarge(body.info.size)
		}
		try {
			return await collect(body.bytes, maxBytes, tooLarge)
		} catch (error) {
			const mayRetry = isBackupError(error) && error.retry !== 'no' && attempt < ATTEMPTS
			if (!mayRetry || options.signal?.aborted === true) throw error
			await pause(error.retryAfterMs ?? PAUSE_MS * attempt, options.signal)
		}
	}
}

async function collect(
	bytes: AsyncIterable<Uint8Array>,
	maxBytes: number,
	tooLarge: (size: number) => BackupError,
): Promise<Uint8Array> {
	const pieces: Uint8Array[] = []
	let size = 0
	for await (const piece of bytes) {
		size += piece.length
		if (size > maxBytes) throw tooLarge(size)
		pieces.push(piece)
	}
	return Buffer.concat(pieces)
}

/** Releases a body without reading it. */
async function abandon(bytes: AsyncIterable<Uint8Array>): Promise<void> {
	await bytes[Symbol.asyncIterator]().return?.()
}

/** Ends early when the signal aborts; the next call to the storage says so. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>()
	const timer = setTimeout(resolve, Math.min(ms, 30_000))
	signal?.addEventListener('abort', () => resolve(), { once: true })
	try {
		if (signal?.aborted !== true) await promise
	} finally {
		clearTimeout(timer)
	}
}
