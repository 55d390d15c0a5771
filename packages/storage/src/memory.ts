import {
	assertKey,
	BackupError,
	type Capabilities,
	type ObjectInfo,
	type PutBody,
	type PutOptions,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { checked, checkWhole, untilAborted } from '@ydbackup/core/driver-kit'
import { assertPrefix } from './streams.ts'

interface Held {
	readonly bytes: Uint8Array
	readonly modifiedAt: Date
	heldUntil: Date | undefined
}

export const MEMORY_CAPABILITIES: Capabilities = {
	conditionalCreate: true,
	strongList: true,
	orderedList: true,
	rangeRead: true,
	retention: true,
	serverSideCopy: true,
	maxObjectBytes: 2 ** 31,
	maxKeyBytes: 512,
	maxConcurrency: 64,
}

export interface MemoryOptions {
	/** The store's clock. */
	readonly now?: () => Date
	/** A space that other openings share. */
	readonly objects?: Map<string, Held>
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

async function collect(key: string, body: PutBody, options: PutOptions): Promise<Uint8Array> {
	if (body instanceof Uint8Array) {
		checkWhole(body, key, options)
		return Uint8Array.from(body)
	}
	const parts: Uint8Array[] = []
	const pieces = untilAborted(body(), options.signal, `writing ${key}`)
	for await (const part of checked(pieces, key, options)) parts.push(Uint8Array.from(part))
	return Buffer.concat(parts)
}

/** A whole and correct store in memory: for tests, and the reference of the storage contract. */
export function openMemory({ now = () => new Date(), objects = new Map() }: MemoryOptions = {}): Storage {
	const info = (key: string, held: Held): ObjectInfo => ({ key, size: held.bytes.length, modifiedAt: held.modifiedAt })
	const get = (key: string): Held => {
		assertKey(key)
		const held = objects.get(key)
		if (!held) throw new BackupError('STORAGE_NOT_FOUND', `memory has no object ${key}`)
		return held
	}
	const refuseHeld = (key: string): void => {
		const until = objects.get(key)?.heldUntil
		if (until && until > now())
			throw new BackupError('STORAGE_PERMISSION', `object ${key} is held until ${until.toISOString()}`)
	}
	const storage: Storage = {
		location: 'memory:',
		capabilities: MEMORY_CAPABILITIES,
		async put(key, body, options = {}) {
			assertKey(key)
			throwIfInterrupted(options.signal, `writing ${key}`)
			const bytes = await collect(key, body, options)
			throwIfInterrupted(options.signal, `writing ${key}`)
			if (options.ifAbsent && objects.has(key)) throw new BackupError('STORAGE_ALREADY_EXISTS', `object ${key} exists`)
			refuseHeld(key)
			const held: Held = { bytes, modifiedAt: now(), heldUntil: options.retainUntil }
			objects.set(key, held)
			return info(key, held)
		},
		async get(key, { range, signal } = {}) {
			throwIfInterrupted(signal, `reading ${key}`)
			const held = get(key)
			const size = held.bytes.length
			const offset = range?.offset ?? 0
			const end = range?.length === undefined ? size : offset + range.length
			const isWithin = [offset, end].every(Number.isSafeInteger) && 0 <= offset && offset <= end && end <= size
			if (range && (!isWithin || offset === size))
				throw new BackupError('STORAGE_PERMANENT', `${key} has no bytes ${offset} to ${end}: it has ${size}`)
			return {
				info: info(key, held),
				bytes: (async function* () {
					for (let at = offset; at < end; at += 65_536) {
						throwIfInterrupted(signal, `reading ${key}`)
						yield Uint8Array.from(held.bytes.subarray(at, Math.min(end, at + 65_536)))
					}
				})(),
			}
		},
		async stat(key, { signal } = {}) {
			assertKey(key)
			throwIfInterrupted(signal, `looking for ${key}`)
			const held = objects.get(key)
			return held && info(key, held)
		},
		async *list(prefix, { signal, startAfter } = {}) {
			assertPrefix(prefix)
			for (const key of [...objects.keys()].sort(compare)) {
				throwIfInterrupted(signal, `listing ${prefix}`)
				const held = objects.get(key)
				if (held && key.startsWith(prefix) && (startAfter === undefined || compare(key, startAfter) > 0))
					yield info(key, held)
			}
		},
		async delete(key, { signal } = {}) {
			assertKey(key)
			throwIfInterrupted(signal, `deleting ${key}`)
			refuseHeld(key)
			objects.delete(key)
		},
		async copy(from, to, options = {}) {
			return storage.put(to, get(from).bytes, options)
		},
		async extendRetention(key, until, { signal } = {}) {
			throwIfInterrupted(signal, `holding ${key}`)
			const held = get(key)
			if (!held.heldUntil || held.heldUntil < until) held.heldUntil = until
		},
		async abortStaleUploads() {
			return 0
		},
		async [Symbol.asyncDispose]() {},
	}
	return storage
}
