import type { GetOptions, ObjectBody, ObjectInfo, PutBody, PutOptions, Storage } from '@ydbackup/core'

/** What may be done instead of a call; `next` makes the call itself. */
export interface Interceptions {
	put?: (key: string, body: PutBody, options: PutOptions, next: Storage['put']) => Promise<ObjectInfo>
	get?: (key: string, options: GetOptions, next: Storage['get']) => Promise<ObjectBody>
	stat?: (key: string, next: Storage['stat']) => Promise<ObjectInfo | undefined>
	list?: (prefix: string) => void
	delete?: (key: string, next: Storage['delete']) => Promise<void>
	maxConcurrency?: number
}

/** A store with some calls replaced. */
export function intercept(storage: Storage, calls: Interceptions): Storage {
	const { put, get, stat } = calls
	return {
		location: storage.location,
		capabilities: {
			...storage.capabilities,
			maxConcurrency: calls.maxConcurrency ?? storage.capabilities.maxConcurrency,
		},
		put: (key, body, options = {}) =>
			put === undefined ? storage.put(key, body, options) : put(key, body, options, storage.put),
		get: (key, options = {}) => (get === undefined ? storage.get(key, options) : get(key, options, storage.get)),
		stat: (key, options) => (stat === undefined ? storage.stat(key, options) : stat(key, storage.stat)),
		list(prefix, options) {
			calls.list?.(prefix)
			return storage.list(prefix, options)
		},
		delete: (key, options) =>
			calls.delete === undefined ? storage.delete(key, options) : calls.delete(key, storage.delete),
		[Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
	}
}
