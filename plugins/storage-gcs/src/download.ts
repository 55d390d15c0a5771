import { BackupError, type ByteRange, type ObjectBody, type ObjectInfo } from '@ydbackup/core'
import { releasing } from '@ydbackup/core/driver-kit'
import { type Client, objectPath } from './client.ts'
import { crc32c, crc32cText } from './crc32c.ts'
import type { Response, Task } from './http.ts'
import { dateOf } from './upload.ts'

export interface Download {
	readonly client: Client
	readonly bucket: string
	readonly name: string
	readonly key: string
	readonly range: ByteRange | undefined
	readonly stat: () => Promise<ObjectInfo | undefined>
}

const permanent = (message: string, advice?: string): BackupError =>
	new BackupError('STORAGE_PERMANENT', message, advice === undefined ? {} : { advice })

const damaged = (message: string): BackupError =>
	new BackupError('STORAGE_INTEGRITY', message, {
		retry: 'same',
		advice: 'something between here and the store changes answers; try again, and verify the backup',
	})

/** Opens an object, or exactly the range of it that was asked for. */
export async function download(job: Download, task: Task): Promise<ObjectBody> {
	const { client, bucket, name, key, range } = job
	const { offset = 0, length } = range ?? {}
	if (![offset, length ?? 0].every((value) => Number.isSafeInteger(value) && value >= 0))
		throw permanent(`${key} has no bytes from ${offset}, ${String(length)} of them`)
	if (length === 0) return empty(job, offset, task)
	const isPart = range !== undefined && (offset > 0 || length !== undefined)
	const last = length === undefined ? '' : String(offset + length - 1)
	const response = await client.open(
		{
			method: 'GET',
			path: objectPath(bucket, name),
			query: { alt: 'media' },
			headers: { 'Accept-Encoding': 'identity', ...(isPart && { Range: `bytes=${offset}-${last}` }) },
		},
		task,
	)
	try {
		const size = sizeOf(response, key, isPart)
		const end = length === undefined ? size : offset + length
		if (range && (offset >= size || end > size))
			throw permanent(`${key} has no bytes ${offset} to ${end}: it has ${size}`)
		checkLength(response, end - offset, key)
		const info = { key, size, modifiedAt: dateOf(new Date(response.headers['last-modified'] ?? '').toJSON()) }
		const sum = isPart ? undefined : sumOf(response)
		return {
			info,
			bytes: releasing(checked(client.connections.bytes(response, task), end - offset, sum, key, task), () =>
				response.message.destroy(),
			),
		}
	} catch (error) {
		response.message.destroy()
		throw error
	}
}

/** A range without bytes: nothing to read, but it must lie within the object. */
async function empty({ stat, key }: Download, offset: number, { doing }: Task): Promise<ObjectBody> {
	const info = await stat()
	if (!info) throw new BackupError('STORAGE_NOT_FOUND', `cannot ${doing}: there is no such object`)
	if (offset >= info.size) throw permanent(`${key} has no bytes from ${offset}: it has ${info.size}`)
	return { info, bytes: (async function* () {})() }
}

/** The size of the whole object. */
function sizeOf({ status, headers }: Response, key: string, isPart: boolean): number {
	const text =
		status === 206
			? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]
			: (headers['x-goog-stored-content-length']?.toString() ?? headers['content-length'])
	if (isPart && status !== 206 && Number(text) > 0)
		throw permanent(`${key} came whole, although a part of it was asked for`, 'use an endpoint that serves ranges')
	if (text === undefined) throw damaged(`${key} came without its size`)
	return Number(text)
}

function checkLength({ status, headers }: Response, expected: number, key: string): void {
	const { 'content-length': length, 'content-range': range } = headers
	if (length !== undefined && Number(length) !== expected)
		throw damaged(`${key} came with ${length} bytes instead of ${expected}`)
	if (status !== 206) return
	const [, first = NaN, last = NaN] = (/^bytes (\d+)-(\d+)\//.exec(range ?? '') ?? []).map(Number)
	if (last - first + 1 !== expected) throw damaged(`${key} came with ${last - first + 1} bytes instead of ${expected}`)
}

function sumOf({ headers }: Response): string | undefined {
	return /crc32c=([^,\s]+)/.exec(headers['x-goog-hash']?.toString() ?? '')?.[1]
}

/** Throws unless the bytes are as many as they must be and, for a whole object, have its checksum. */
async function* checked(
	pieces: AsyncIterable<Uint8Array>,
	expected: number,
	expectedSum: string | undefined,
	key: string,
	{ doing }: Task,
): AsyncGenerator<Uint8Array, undefined> {
	let [length, sum] = [0, 0]
	for await (const bytes of pieces) {
		length += bytes.length
		if (length > expected) throw damaged(`cannot ${doing}: more than the ${expected} bytes of ${key} came`)
		if (expectedSum !== undefined) sum = crc32c(sum, bytes)
		yield bytes
	}
	if (length < expected) throw damaged(`cannot ${doing}: only ${length} of ${expected} bytes came`)
	if (expectedSum !== undefined && crc32cText(sum) !== expectedSum)
		throw damaged(`cannot ${doing}: the bytes have crc32c ${crc32cText(sum)} instead of ${expectedSum}`)
}
