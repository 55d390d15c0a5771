import type { PutBody, Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import type { ConformanceOptions } from '../../src/index.ts'

export interface Held {
	readonly bytes: Uint8Array
	readonly modifiedAt: Date
	heldUntil: Date | undefined
}

export type Objects = Map<string, Held>

/** A driver with one flaw, and the claims that must catch it: these and no other. */
export interface Flaw {
	readonly flaw: string
	readonly caughtBy: readonly string[]
	/** Breaks a good store. `objects` is what all of its openings share; `common` is for what the flaw shares between them. */
	readonly breaks: (good: Storage, objects: Objects, common: Map<string, unknown>) => Partial<Storage>
	readonly options?: Partial<ConformanceOptions>
}

/** Opens the broken driver over one store in memory. */
export function opener({ breaks }: Flaw): () => Promise<Storage> {
	const objects: Objects = new Map()
	const common = new Map<string, unknown>()
	return async () => {
		const good = openMemory({ objects })
		return { ...good, ...breaks(good, objects, common) }
	}
}

export const isStream = (body: PutBody): body is () => AsyncIterable<Uint8Array> => !(body instanceof Uint8Array)

export async function collected(body: PutBody): Promise<Uint8Array> {
	if (!isStream(body)) return body
	const parts: Uint8Array[] = []
	for await (const part of body()) parts.push(Uint8Array.from(part))
	return Buffer.concat(parts)
}

/** A store whose keys go through a function on their way in. */
export function rekeyed(good: Storage, key: (key: string) => string): Partial<Storage> {
	return {
		put: (at, body, options) => good.put(key(at), body, options),
		get: (at, options) => good.get(key(at), options),
		stat: (at, options) => good.stat(key(at), options),
		delete: (at, options) => good.delete(key(at), options),
	}
}

/** A store whose bodies go through a function on their way out. */
export function reread(
	good: Storage,
	change: (bytes: AsyncIterable<Uint8Array>, size: number) => AsyncIterable<Uint8Array>,
): Partial<Storage> {
	return {
		async get(key, options) {
			const { info, bytes } = await good.get(key, options)
			return { info, bytes: options?.range ? bytes : change(bytes, info.size) }
		},
	}
}
