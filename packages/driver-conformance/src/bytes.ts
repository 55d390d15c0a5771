import { setTimeout as sleep } from 'node:timers/promises'
import type { GetOptions, ListOptions, ObjectInfo, Storage } from '@ydbackup/core'
import { ClaimBroken } from './expect.ts'

/** Bytes that look random and are always the same for a seed; other seeds give other bytes. */
export function content(seed: string, size: number): Uint8Array {
	let state = 2166136261
	for (let index = 0; index < seed.length; index++) state = Math.imul(state ^ seed.charCodeAt(index), 16777619)
	state |= 1
	const words = new Int32Array(Math.ceil(size / 4))
	for (let index = 0; index < words.length; index++) {
		state ^= state << 13
		state ^= state >>> 17
		state ^= state << 5
		words[index] = state
	}
	return new Uint8Array(words.buffer, 0, size)
}

/** A body in pieces. */
export function pieces(bytes: Uint8Array, pieceBytes = 60_000): () => AsyncGenerator<Uint8Array> {
	return async function* () {
		for (let at = 0; at < bytes.length; at += pieceBytes) yield Uint8Array.from(bytes.subarray(at, at + pieceBytes))
	}
}

/** A body whose pieces lie in the same memory, one after the other. */
export function piecesInTurn(bytes: Uint8Array, pieceBytes: number): () => AsyncGenerator<Uint8Array> {
	return async function* () {
		const memory = new Uint8Array(pieceBytes)
		for (let at = 0; at < bytes.length; at += pieceBytes) {
			const piece = bytes.subarray(at, at + pieceBytes)
			memory.set(piece)
			yield memory.subarray(0, piece.length)
			memory.fill(0)
		}
	}
}

/** A whole object or range. It stops at a mebibyte more than expected. */
export async function read(store: Storage, key: string, expected: number, options?: GetOptions): Promise<Uint8Array> {
	const { bytes } = await store.get(key, options)
	const parts: Uint8Array[] = []
	let length = 0
	for await (const part of bytes) {
		length += part.length
		if (length > expected + 2 ** 20) throw new ClaimBroken(`${key} came with more than ${expected} bytes`)
		parts.push(part)
	}
	return Buffer.concat(parts, length)
}

/** A whole listing. */
export async function listed(store: Storage, prefix = '', options?: ListOptions): Promise<ObjectInfo[]> {
	const found: ObjectInfo[] = []
	for await (const info of store.list(prefix, options)) {
		if (found.push(info) > 1_000_000) throw new ClaimBroken('the listing does not end')
	}
	return found
}

export async function keysOf(store: Storage, prefix = '', options?: ListOptions): Promise<string[]> {
	return (await listed(store, prefix, options)).map(({ key }) => key)
}

/** Does work on items, so many at once; stops at the first failure, after those that run are over. */
export async function inFlight<T>(
	width: number,
	items: Iterable<T>,
	work: (item: T) => Promise<unknown>,
): Promise<void> {
	const left = items[Symbol.iterator]()
	let failure: { readonly error: unknown } | undefined
	const worker = async (): Promise<void> => {
		for (let next = left.next(); !next.done && !failure; next = left.next()) {
			try {
				await work(next.value)
			} catch (error) {
				failure ??= { error }
			}
		}
	}
	await Promise.all(Array.from({ length: width }, worker))
	if (failure) throw failure.error
}

/** A pause that a signal ends. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
	await sleep(ms, undefined, { signal })
}

/** A promise and the function that fulfils it. */
export interface Gate {
	readonly opened: Promise<void>
	open(): void
}

export function gate(): Gate {
	const { promise, resolve } = Promise.withResolvers<void>()
	return { opened: promise, open: resolve }
}
