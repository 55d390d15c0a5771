import { randomUUID } from 'node:crypto'
import type { Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-s3/driver'
import { type S3Server, type S3ServerOptions, startS3Server } from '../src/s3/server.ts'

export interface Opening {
	/** Query of the location, without `?`. */
	readonly query?: string
	readonly prefix?: string
	readonly bucket?: string
	readonly writable?: boolean
	readonly environment?: Readonly<Record<string, string>>
	readonly signal?: AbortSignal
}

/** The smallest parts that S3 takes: a large object is soon written. */
export const SMALL_PARTS = 'partMiB=5'

/** The location of a prefix on a test server. */
export function locationOn(server: S3Server, { query = '', prefix = 'repo', bucket = 'bucket' }: Opening = {}): URL {
	return new URL(`s3://${bucket}/${prefix}?endpoint=${encodeURIComponent(server.endpoint)}${query && `&${query}`}`)
}

export function environmentOf({ credential }: S3Server): Record<string, string> {
	const { accessKeyId, secretAccessKey, sessionToken } = credential
	return {
		AWS_ACCESS_KEY_ID: accessKeyId,
		AWS_SECRET_ACCESS_KEY: secretAccessKey,
		...(sessionToken !== undefined && { AWS_SESSION_TOKEN: sessionToken }),
	}
}

/** Opens the driver on a test server, as the first of its keys. */
export function openOn(server: S3Server, opening: Opening = {}): Promise<Storage> {
	const { writable = true, environment = {}, signal } = opening
	return driver.open(locationOn(server, opening), {
		environment: { ...environmentOf(server), ...environment },
		writable,
		...(signal && { signal }),
	})
}

/** A store with parts of 5 MiB on a test server of its own, and the server. */
export async function newStore(
	options: S3ServerOptions = {},
	opening: Opening = {},
): Promise<AsyncDisposable & { readonly server: S3Server; readonly storage: Storage }> {
	const server = await startS3Server(options)
	try {
		const { query = '' } = opening
		const storage = await openOn(server, { ...opening, query: `${SMALL_PARTS}${query && `&${query}`}` })
		return {
			server,
			storage,
			async [Symbol.asyncDispose]() {
				await storage[Symbol.asyncDispose]()
				await server[Symbol.asyncDispose]()
			},
		}
	} catch (error) {
		await server[Symbol.asyncDispose]()
		throw error
	}
}

export type OpenStore = () => Promise<
	AsyncDisposable & { readonly storage: Storage; readonly another: () => Promise<Storage> }
>

/** Where the fault-free tests run: the strict server, and the endpoint of `YDBACKUP_TEST_S3_URL` where it is set. */
export function places(): [name: string, open: OpenStore][] {
	const onServer: OpenStore = async () => {
		const server = await startS3Server()
		const opened: Storage[] = [await openOn(server)]
		return {
			storage: opened[0]!,
			another: async () => (opened.push(await openOn(server)), opened.at(-1)!),
			async [Symbol.asyncDispose]() {
				for (const storage of opened) await storage[Symbol.asyncDispose]()
				await server[Symbol.asyncDispose]()
			},
		}
	}
	const { YDBACKUP_TEST_S3_URL: url } = process.env
	if (!url) return [['the strict server', onServer]]
	const elsewhere: OpenStore = async () => {
		const location = new URL(url)
		location.pathname = `${location.pathname.replace(/\/$/, '')}/${randomUUID()}`
		const open = (): Promise<Storage> => driver.open(location, { environment: process.env, writable: true })
		const opened: Storage[] = [await open()]
		return {
			storage: opened[0]!,
			another: async () => (opened.push(await open()), opened.at(-1)!),
			async [Symbol.asyncDispose]() {
				for await (const { key } of opened[0]!.list('')) await opened[0]!.delete(key)
				for (const storage of opened) await storage[Symbol.asyncDispose]()
			},
		}
	}
	return [
		['the strict server', onServer],
		['YDBACKUP_TEST_S3_URL', elsewhere],
	]
}

/** Bytes that tell where they are. */
export function patterned(size: number): Buffer {
	const words = Uint32Array.from({ length: Math.ceil(size / 4) }, (_, index) => Math.imul(index, 2_654_435_761))
	return Buffer.from(words.buffer, 0, size)
}

/** A body of bytes in pieces, which may be opened again. */
export function piecesOf(bytes: Uint8Array, pieceBytes = 100_000): () => AsyncGenerator<Uint8Array> {
	return async function* () {
		for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
	}
}

export async function bytesOf(
	storage: Storage,
	key: string,
	range?: { offset: number; length?: number },
): Promise<Buffer> {
	const pieces: Uint8Array[] = []
	for await (const piece of (await storage.get(key, { range })).bytes) pieces.push(piece)
	return Buffer.concat(pieces)
}

export async function keysIn(storage: Storage, prefix = '', startAfter?: string): Promise<string[]> {
	const keys: string[] = []
	for await (const { key } of storage.list(prefix, { startAfter })) keys.push(key)
	return keys
}
