import { inspect } from 'node:util'
import {
	type CallOptions,
	isBackupError,
	type ObjectBody,
	type ObjectInfo,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'

/** What a run remembers of its calls: for the clean-up, for time-outs and for leaks. */
export interface Ledger {
	/** Keys that puts were begun for, as the driver knows them. */
	readonly keys: Set<string>
	/** Calls that are not over: what each does, and its end. */
	readonly calls: Map<symbol, { readonly doing: string; readonly over: Promise<void> }>
	/** Hears of each error of the driver. */
	failed(error: unknown): void
}

interface RoomOptions {
	/** Ends with a slash. */
	readonly prefix: string
	/** Ends every call. */
	readonly signal: AbortSignal
	readonly ledger: Ledger
}

/** The part of a store below a prefix, with calls that end when the signal aborts. */
export function room(storage: Storage, { prefix, signal, ledger }: RoomOptions): Storage {
	const outer = (key: string): string => prefix + key
	const inner = (info: ObjectInfo): ObjectInfo => ({
		...info,
		key: info.key.startsWith(prefix) ? info.key.slice(prefix.length) : `(outside of the prefix) ${info.key}`,
	})
	const both = <T extends CallOptions>(options: T | undefined): T => {
		const own = options?.signal
		return { ...options, signal: own ? AbortSignal.any([own, signal]) : signal } as T
	}
	const begin = (doing: string): (() => void) => {
		const id = Symbol(doing)
		const { promise, resolve } = Promise.withResolvers<void>()
		ledger.calls.set(id, { doing, over: promise })
		return () => {
			ledger.calls.delete(id)
			resolve()
		}
	}
	async function call<T>(name: string, work: () => Promise<T>): Promise<T> {
		throwIfInterrupted(signal, name)
		const end = begin(name)
		try {
			return await work()
		} catch (error) {
			ledger.failed(error)
			throw error
		} finally {
			end()
		}
	}
	async function* told<T>(name: string, items: AsyncIterable<T>): AsyncGenerator<T> {
		const end = begin(name)
		try {
			yield* items
		} catch (error) {
			ledger.failed(error)
			throw error
		} finally {
			end()
		}
	}
	return {
		location: storage.location,
		capabilities: storage.capabilities,
		...(storage.copy && {
			copy: (from, to, options) =>
				call(`copying ${from}`, async () => {
					ledger.keys.add(outer(to))
					return inner(await storage.copy!(outer(from), outer(to), both(options)))
				}),
		}),
		...(storage.extendRetention && {
			extendRetention: (key, until, options) =>
				call(`holding ${key}`, () => storage.extendRetention!(outer(key), until, both(options))),
		}),
		...(storage.abortStaleUploads && {
			abortStaleUploads: (olderThan, options) =>
				call('removing stale uploads', () => storage.abortStaleUploads!(olderThan, both(options))),
		}),
		put: (key, body, options) =>
			call(`writing ${key}`, async () => {
				const isNew = !ledger.keys.has(outer(key))
				ledger.keys.add(outer(key))
				try {
					return inner(await storage.put(outer(key), body, both(options)))
				} catch (error) {
					// Nothing was written that a clean-up without rights could not remove.
					if (isNew && isBackupError(error, 'STORAGE_PERMISSION')) ledger.keys.delete(outer(key))
					throw error
				}
			}),
		get: (key, options) =>
			call(`reading ${key}`, async (): Promise<ObjectBody> => {
				const { info, bytes } = await storage.get(outer(key), both(options))
				return { info: inner(info), bytes: told(`reading ${key}`, bytes) }
			}),
		stat: (key, options) =>
			call(`looking for ${key}`, async () => {
				const info = await storage.stat(outer(key), both(options))
				return info && inner(info)
			}),
		async *list(prefix, options) {
			throwIfInterrupted(signal, `listing ${prefix}`)
			const { startAfter, ...more } = both(options)
			const found = storage.list(outer(prefix), {
				...more,
				...(startAfter !== undefined && { startAfter: outer(startAfter) }),
			})
			for await (const info of told(`listing ${prefix || 'all keys'}`, found)) yield inner(info)
		},
		delete: (key, options) => call(`deleting ${key}`, () => storage.delete(outer(key), both(options))),
		[Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
	}
}

const THOROUGH = 200

/** Looks for secrets in errors: in all they carry, causes too. */
export function leakFinder(secrets: readonly string[]): {
	look(error: unknown): void
	found(): string | undefined
	hide(text: string): string
} {
	const forms = new Set(
		secrets
			.filter((secret) => secret !== '')
			.flatMap((secret) => [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]),
	)
	const shows = (text: string): boolean => [...forms].some((form) => text.includes(form))
	const hide = (text: string): string => {
		let hidden = text
		for (const form of forms) hidden = hidden.replaceAll(form, '***')
		return hidden
	}
	let looked = 0
	let found: string | undefined
	return {
		look(error) {
			if (forms.size === 0 || found !== undefined) return
			const brief = error instanceof Error ? error.message : String(error)
			const isThorough = looked++ < THOROUGH
			const all = isThorough ? inspect(error, { depth: 8, showHidden: true, maxStringLength: null }) : brief
			if (!shows(all) && !shows(brief)) return
			const where = shows(brief) ? 'the message' : 'the cause, the stack or a property'
			const code = isBackupError(error) ? error.code : 'an error without a code'
			found = `${where} of ${code}: ${hide(brief)}`
		},
		found: () => found,
		hide,
	}
}
