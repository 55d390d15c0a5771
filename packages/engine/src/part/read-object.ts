import { isBackupError, type ObjectBody, type Storage, throwIfInterrupted } from '@ydbackup/core'

import { collect } from '../flow/collect.ts'
import { objectDamaged, objectMissing } from './damage.ts'

export interface ReadObjectOptions {
	/** Makes broken reads good by itself. */
	readonly storage: Storage
	readonly key: string
	/** What the manifest says; an object of another size is damaged. */
	readonly size: number
	readonly signal: AbortSignal | undefined
}

/**
 * Streams a whole object of a known size. Errors: `OBJECT_MISSING`, `OBJECT_DAMAGED`; of a store that cannot be asked, what it
 * throws.
 */
export async function* readObject(options: ReadObjectOptions): AsyncGenerator<Uint8Array, void, undefined> {
	const { key, size, signal } = options
	let length = 0
	try {
		const body = await open(options)
		for await (const chunk of body.bytes) {
			throwIfInterrupted(signal, `reading ${key}`)
			length += chunk.length
			if (length > size) throw objectDamaged(key, `it has more than ${size} bytes`)
			if (chunk.length > 0) yield chunk
		}
	} catch (error) {
		if (isBackupError(error, 'STORAGE_NOT_FOUND')) throw objectMissing(key, error)
		if (isBackupError(error, 'STORAGE_INTEGRITY')) throw objectDamaged(key, error.message, error)
		throw error
	}
	if (length < size) throw objectDamaged(key, `it ends after ${length} of ${size} bytes`)
}

/** A small object of a known size in one piece. */
export async function readWhole(options: ReadObjectOptions): Promise<Uint8Array> {
	const chunks = await collect(readObject(options))
	return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}

async function open({ storage, key, size, signal }: ReadObjectOptions): Promise<ObjectBody> {
	const body = await storage.get(key, { signal })
	if (body.info.size === size) return body
	await body.bytes[Symbol.asyncIterator]().return?.()
	throw objectDamaged(key, `it has ${body.info.size} bytes instead of ${size}`)
}
