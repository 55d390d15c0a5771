import { createHash } from 'node:crypto'
import { BackupError, isKeyPrefix } from '@ydbackup/core'

/** Leaves a stream that nobody has begun to read. */
export async function leave(stream: AsyncIterable<unknown>): Promise<void> {
	await stream[Symbol.asyncIterator]().return?.()
}

export async function sha256Of(stream: AsyncIterable<Uint8Array>): Promise<string> {
	const hash = createHash('sha256')
	for await (const bytes of stream) hash.update(bytes)
	return hash.digest('hex')
}

/** Throws for a prefix that no key can have: it is a mistake, and must not pass for an empty listing. */
export function assertPrefix(prefix: string): void {
	if (isKeyPrefix(prefix)) return
	throw new BackupError('STORAGE_PERMANENT', `${JSON.stringify(prefix.slice(0, 600))} is not the beginning of a key`, {
		advice: 'keys consist of letters, digits and ._=- in segments divided by /, without . and .. segments',
	})
}
