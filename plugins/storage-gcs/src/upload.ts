import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { BackupError, isBackupError, type ObjectInfo, type PutBody, type PutOptions } from '@ydbackup/core'
import { type Chunk, chunksOf } from './chunks.ts'
import { type Call, type Client, objectPath, uploadPath } from './client.ts'
import { crc32c, crc32cText } from './crc32c.ts'
import type { Task } from './http.ts'
import { lost, Session } from './session.ts'
import { mayHelp, pauseBefore } from './trying.ts'

/** A multiple of 256 KiB. Two of them are in memory for each put. */
const CHUNK_BYTES = 8 << 20
const TRIES = 4
/** Marks an object with the put that wrote it, so that a lost answer can be told from another writer's object. */
const MARK = 'ydbackup-put'
const FIELDS = 'size,timeCreated,generation,crc32c,metadata'

export interface Upload {
	readonly client: Client
	readonly bucket: string
	/** Full name of the object. */
	readonly name: string
	readonly key: string
	readonly options: PutOptions
	readonly retention: 'Unlocked' | 'Locked'
	readonly doing: string
}

/** Writes an object: in one request where it fits into one chunk, else through an upload session. */
export async function upload(job: Upload, body: PutBody): Promise<ObjectInfo> {
	const stop = new AbortController()
	const { signal } = job.options
	const source = chunksOf(
		job.key,
		body,
		job.options,
		CHUNK_BYTES,
		signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
	)
	const task: Task = { doing: job.doing, signal }
	try {
		const first = await source.next()
		if (first.done) throw new Error('a body without a chunk')
		const mark = randomUUID()
		return first.value.isLast
			? await writeAtOnce(job, first.value.bytes, mark, task)
			: await writeInChunks(job, first.value, source, mark, task)
	} finally {
		// A source that is waiting for its next bytes is left at once.
		stop.abort()
		void source.return(undefined).catch(() => undefined)
	}
}

function resourceOf({ name, options, retention }: Upload, mark: string): Record<string, unknown> {
	const { retainUntil } = options
	return {
		name,
		contentType: 'application/octet-stream',
		// What is read back from a public bucket must be what is there now, byte for byte.
		cacheControl: 'no-store, no-transform',
		metadata: { [MARK]: mark },
		...(retainUntil && { retention: { mode: retention, retainUntilTime: retainUntil.toISOString() } }),
	}
}

const condition = ({ options }: Upload): { ifGenerationMatch?: string } =>
	options.ifAbsent === true ? { ifGenerationMatch: '0' } : {}

async function writeAtOnce(job: Upload, bytes: Uint8Array, mark: string, task: Task): Promise<ObjectInfo> {
	const { client, bucket, name } = job
	const sum = crc32cText(crc32c(0, bytes))
	const boundary = `part-${randomUUID()}`
	const resource = JSON.stringify({ ...resourceOf(job, mark), crc32c: sum })
	const call: Call = {
		method: 'POST',
		path: uploadPath(bucket),
		query: { uploadType: 'multipart', name, fields: FIELDS, ...condition(job) },
		headers: { 'Content-Type': `multipart/related; boundary=${boundary}` },
		body: [
			Buffer.from(
				`--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${resource}\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\n\r\n`,
			),
			bytes,
			Buffer.from(`\r\n--${boundary}--\r\n`),
		],
	}
	for (let attempt = 1; ; attempt++) {
		try {
			const stored = await client.json(await client.must(call, task), task)
			return await verified(job, stored, bytes.length, sum, task)
		} catch (error) {
			if (attempt > 1 && isBackupError(error, 'STORAGE_ALREADY_EXISTS')) {
				const stored = await settled(job, mark, error, task)
				return verified(job, stored, bytes.length, sum, task)
			}
			if (attempt >= TRIES) throw error
			await pauseBefore(attempt + 1, error, task)
		}
	}
}

async function writeInChunks(
	job: Upload,
	first: Chunk,
	source: AsyncIterator<Chunk, undefined>,
	mark: string,
	task: Task,
): Promise<ObjectInfo> {
	const { client } = job
	const session = await Session.begin(client, job.bucket, resourceOf(job, mark), condition(job), task)
	let chunk = first
	let sum = crc32c(0, first.bytes)
	const gather = async (): Promise<void> => {
		// The chunk before it gets onto its way first.
		await setImmediate()
		const next = await source.next()
		if (next.done) throw new Error('a body without a last chunk')
		chunk = next.value
		sum = crc32c(sum, chunk.bytes)
	}
	try {
		for (;;) {
			const { isLast, start, bytes } = chunk
			const sending = session.push(chunk, crc32cText(sum), task)
			if (isLast) return await verified(job, (await sending) ?? {}, start + bytes.length, crc32cText(sum), task)
			// The next chunk is gathered while this one travels; a source that fails or a store that refuses ends both.
			const gathering = gather()
			gathering.catch(() => undefined)
			const early = await sending
			if (early) {
				// An emulator that takes the question how much it has for the end: half an object must not stay.
				await takeAway(job, early, task)
				throw lost(task, 'the store ended the upload early')
			}
			await gathering
		}
	} catch (error) {
		try {
			const isUnclear = isBackupError(error, 'STORAGE_ALREADY_EXISTS') || mayHelp(error)
			if (!isUnclear || !session.mayHaveFinished) throw error
			// The answer to the last chunk, which made the object, may be what was lost.
			const stored = await settled(job, mark, error, task)
			return await verified(job, stored, chunk.start + chunk.bytes.length, crc32cText(sum), task)
		} finally {
			await session.cancel()
		}
	}
}

/** Reads back what is there, after an answer was lost: our own object is success, anything else the error that came. */
async function settled(
	{ client, bucket, name }: Upload,
	mark: string,
	error: unknown,
	task: Task,
): Promise<Record<string, unknown>> {
	const call = { method: 'GET', path: objectPath(bucket, name), query: { fields: FIELDS } }
	const found = await client
		.find(call, { ...task, doing: `${task.doing} (reading it back)` })
		.catch((failure: unknown) => {
			// Who may not read cannot know whose object it is.
			if (isBackupError(failure, 'INTERRUPTED')) throw failure
		})
	const metadata = found?.['metadata']
	if (
		found &&
		typeof metadata === 'object' &&
		metadata !== null &&
		(metadata as Record<string, unknown>)[MARK] === mark
	)
		return found
	throw error
}

/** What the store says it has must be what was sent; an object that is not is taken away again. */
async function verified(
	job: Upload,
	stored: Record<string, unknown>,
	size: number,
	sum: string,
	task: Task,
): Promise<ObjectInfo> {
	const { size: storedSize, crc32c: storedSum, timeCreated } = stored
	const isSame = Number(storedSize) === size && (storedSum === undefined || storedSum === sum)
	if (isSame) return { key: job.key, size, modifiedAt: dateOf(timeCreated) }
	await takeAway(job, stored, task)
	throw new BackupError(
		'STORAGE_INTEGRITY',
		`cannot ${task.doing}: ${size} bytes with crc32c ${sum} were sent, and the store has ${String(storedSize)} with ${String(storedSum)}`,
		{ retry: 'same', advice: 'the bytes changed on their way; try again' },
	)
}

/** Deletes the object of an answer, and no other. Does not throw. */
async function takeAway(
	{ client, bucket, name }: Upload,
	{ generation }: Record<string, unknown>,
	task: Task,
): Promise<void> {
	if (typeof generation !== 'string') return
	await client
		.send({ method: 'DELETE', path: objectPath(bucket, name), query: { ifGenerationMatch: generation } }, task)
		.then((response) => client.connections.text(response, task))
		.catch(() => undefined)
}

export function dateOf(text: unknown): Date | undefined {
	const date = typeof text === 'string' ? new Date(text) : undefined
	return date && !Number.isNaN(date.getTime()) ? date : undefined
}
