import { setTimeout as sleep } from 'node:timers/promises'

import { isBackupError, type ObjectBody, type Storage, throwIfInterrupted } from '@ydbackup/core'

import { collect } from '../flow/collect.ts'
import { objectDamaged, objectMissing } from './damage.ts'

export interface ReadObjectOptions {
	readonly storage: Storage
	readonly key: string
	/** What the manifest says; an object of another size is damaged. */
	readonly size: number
	readonly signal: AbortSignal | undefined
	readonly onRetry?: ((reason: unknown) => void) | undefined
}

const TRIES_WITHOUT_PROGRESS = 5
const FIRST_PAUSE_MS = 100

/**
 * Streams a whole object of a known size. A connection that breaks is opened again where it broke: what was read stays read.
 * Errors: `OBJECT_MISSING`, `OBJECT_DAMAGED`; of a store that cannot be asked, what it throws.
 */
export async function* readObject(options: ReadObjectOptions): AsyncGenerator<Uint8Array, void, undefined> {
	const { key, size, signal } = options
	let offset = 0
	let tries = 0
	let isWhole = false
	while (!isWhole) {
		throwIfInterrupted(signal, `reading ${key}`)
		try {
			tries++
			const body = await openAt(options, offset)
			for await (const chunk of body.bytes) {
				if (chunk.length === 0) continue
				offset += chunk.length
				tries = 0
				if (offset > size) throw objectDamaged(key, `it has more than ${size} bytes`)
				yield chunk
			}
			if (offset < size) throw objectDamaged(key, `it ends after ${offset} of ${size} bytes`)
			isWhole = true
		} catch (error) {
			if (isBackupError(error, 'STORAGE_INTEGRITY') && error.retry === 'no')
				throw objectDamaged(key, error.message, error)
			if (!isBackupError(error) || error.retry === 'no' || tries >= TRIES_WITHOUT_PROGRESS) throw error
			options.onRetry?.(error)
			// All bytes are here, and hashes will tell: there is nothing left to ask for.
			if (offset === size && size > 0) return
			const pause = error.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** tries
			await sleep(Math.min(pause, 30_000), undefined, { ...(signal === undefined ? {} : { signal }), ref: true })
		}
	}
}

/** A small object of a known size in one piece. */
export async function readWhole(options: ReadObjectOptions): Promise<Uint8Array> {
	const chunks = await collect(readObject(options))
	return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}

async function openAt(options: ReadObjectOptions, offset: number): Promise<ObjectBody> {
	const { storage, key, size, signal } = options
	let body: ObjectBody
	try {
		body = await storage.get(key, { signal, ...(offset === 0 ? {} : { range: { offset } }) })
	} catch (error) {
		if (isBackupError(error, 'STORAGE_NOT_FOUND')) throw objectMissing(key, error)
		throw error
	}
	if (body.info.size !== size) {
		// Released by leaving a loop over it: that is the contract's way.
		for await (const _ of body.bytes) break
		throw objectDamaged(key, `it has ${body.info.size} bytes instead of ${size}`)
	}
	return body
}
