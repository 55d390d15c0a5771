import { BackupError, type ErrorCode, type ObjectBody, type Retry, type Storage } from '@ydbackup/core'

/** A store that behaves as another one but for some of its members. */
export function changed(storage: Storage, members: Partial<Storage>): Storage {
	return new Proxy(storage, {
		get: (target, name) => (name in members ? members[name as keyof Storage] : target[name as keyof Storage]),
	})
}

export const failure = (code: ErrorCode, retry: Retry = 'no', retryAfterMs?: number): BackupError =>
	new BackupError(code, `${code} happened`, { retry, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
export const transient = (): BackupError => failure('STORAGE_TRANSIENT', 'same')

export const bytesOf = (text: string): Uint8Array => Buffer.from(text)

/** A body in pieces. */
export function pieces(...texts: string[]): () => AsyncGenerator<Uint8Array> {
	return async function* () {
		for (const text of texts) yield bytesOf(text)
	}
}

/** A body that gives one piece and then nothing for ever, and hears of no signal. */
export function silent(): { body: () => AsyncGenerator<Uint8Array>; isOpen: Promise<void> } {
	const opened = Promise.withResolvers<void>()
	return {
		isOpen: opened.promise,
		body: async function* () {
			yield bytesOf('first')
			opened.resolve()
			await Promise.withResolvers<void>().promise
		},
	}
}

export async function textOf({ bytes }: ObjectBody): Promise<string> {
	const parts: Uint8Array[] = []
	for await (const part of bytes) parts.push(part)
	return Buffer.concat(parts).toString()
}

export async function keysOf(
	storage: Storage,
	prefix = '',
	options: Parameters<Storage['list']>[1] = {},
): Promise<string[]> {
	const keys: string[] = []
	for await (const { key } of storage.list(prefix, options)) keys.push(key)
	return keys
}

export async function errorOf(work: Promise<unknown>): Promise<BackupError> {
	const error: unknown = await work.then(
		(value) => new Error(`it succeeded: ${JSON.stringify(value)}`),
		(thrown: unknown) => thrown,
	)
	if (error instanceof BackupError) return error
	throw error
}
