import { randomBytes, randomUUID } from 'node:crypto'
import type { Storage } from '@ydbackup/core'
import driver from '@ydbackup/storage-gcs/driver'
import { type GcsServer, type GcsServerOptions, keyFile, type Permission, startGcsServer } from '../src/gcs/index.ts'

export interface Room extends AsyncDisposable {
	readonly server: GcsServer
	readonly storage: Storage
	/** The driver once more, as another account where permissions are given. */
	again(options?: {
		readonly permissions?: readonly Permission[]
		readonly writable?: boolean
		readonly query?: string
	}): Promise<Storage>
}

/** A server of our own and the driver on it, with a service account. */
export async function room(options: GcsServerOptions & { readonly query?: string } = {}): Promise<Room> {
	const { query = '', ...more } = options
	const stack = new AsyncDisposableStack()
	const server = stack.use(await startGcsServer(more))
	const again: Room['again'] = async ({ permissions, writable = true, query: other = query } = {}) => {
		const file = stack.use(await keyFile(server.account(permissions && { permissions })))
		const location = new URL(`gs://bucket/some/prefix?endpoint=${server.url}${other}`)
		const environment = { GOOGLE_APPLICATION_CREDENTIALS: file.path }
		return stack.use(await driver.open(location, { environment, writable }))
	}
	try {
		const storage = await again()
		return { server, storage, again, [Symbol.asyncDispose]: () => stack.disposeAsync() }
	} catch (error) {
		await stack.disposeAsync()
		throw error
	}
}

/** A prefix at an endpoint that is not ours. */
export const ELSEWHERE: string | undefined = process.env['YDBACKUP_TEST_GCS_URL'] || undefined

/** The driver where the fault-free tests run: our own server, and the endpoint that is named in the environment. */
export const PLACES: readonly (readonly [name: string, open: () => Promise<AsyncDisposable & { storage: Storage }>])[] =
	[
		['our server', () => room()],
		...(ELSEWHERE ? ([['YDBACKUP_TEST_GCS_URL', () => elsewhere(ELSEWHERE)]] as const) : []),
	]

/** A fresh prefix at an endpoint that is not ours; it is emptied at the end. */
async function elsewhere(text: string): Promise<AsyncDisposable & { storage: Storage }> {
	const location = new URL(text)
	location.pathname = `${location.pathname.replace(/\/+$/, '')}/test-${randomUUID()}`
	const storage = await driver.open(location, { environment: process.env, writable: true })
	return {
		storage,
		async [Symbol.asyncDispose]() {
			for await (const { key } of storage.list('')) await storage.delete(key)
			await storage[Symbol.asyncDispose]()
		},
	}
}

export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
	const items: T[] = []
	for await (const item of stream) items.push(item)
	return items
}

export async function bytesOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
	return Buffer.concat(await all(bytes))
}

/** So many bytes that look like nothing in particular. */
export function noise(length: number): Buffer {
	return randomBytes(length)
}

/** The bytes as a stream of pieces. */
export function pieces(bytes: Uint8Array, size = 1 << 20): () => AsyncIterable<Uint8Array> {
	return async function* () {
		for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
	}
}

/** The error that a promise ends with. */
export async function failure(work: Promise<unknown>): Promise<Error & Record<string, unknown>> {
	return work.then(
		() => Promise.reject(new Error('it succeeded')),
		(error: Error & Record<string, unknown>) => error,
	)
}
