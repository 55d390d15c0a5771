import { hash, randomUUID } from 'node:crypto'
import type { BlobImmutabilityPolicy } from '@azure/storage-blob'
import { BackupError, isBackupError, type ObjectInfo, type PutBody, type PutOptions } from '@ydbackup/core'
import { checked, checkWhole, untilAborted } from '@ydbackup/core/driver-kit'
import { type Block, BLOCK_BYTES, blocksOf, MAX_BLOCKS, piecesOf } from './blocks.ts'
import { blobOf, errorOf, once, request, type StoreContext } from './context.ts'
import { BLOCKS_LOST } from './failure.ts'
import { later, type Task, throwIfStopped, trying } from './trying.ts'

/** Blocks of one put that are on their way at once: with the one that is being filled, this bounds its memory. */
const PARALLEL = 4
/** How long the request that makes an object appear may still finish after a stop: cut off, nobody would know what it did. */
const GRACE_MS = 2000
/** Tells whose object it is when the answer to a create-only put was lost. */
const MARK = 'ydbackup_put'

interface Put {
	readonly context: StoreContext
	readonly key: string
	readonly options: PutOptions
	readonly task: Task
	/** Unlike that of any other put: blocks of two puts to one key must never be taken for each other. */
	readonly id: string
}

/** Writes an object: in one request when it fits into one block, else block by block and then the list of blocks. */
export async function upload(
	context: StoreContext,
	key: string,
	body: PutBody,
	options: PutOptions,
): Promise<ObjectInfo> {
	const task = { doing: `write ${key} in ${context.place.shown}`, signal: options.signal }
	throwIfStopped(task)
	const put: Put = { context, key, options, task, id: randomUUID().replaceAll('-', '') }
	if ((options.size ?? 0) > BLOCK_BYTES * MAX_BLOCKS) throw tooLarge(put)
	if (body instanceof Uint8Array && body.length <= BLOCK_BYTES) {
		checkWhole(body, key, options)
		return writeWhole(put, body)
	}
	const broken = new AbortController()
	const signal = options.signal ? AbortSignal.any([options.signal, broken.signal]) : broken.signal
	const pieces = body instanceof Uint8Array ? piecesOf(body) : untilAborted(body(), signal, `trying to ${task.doing}`)
	const blocks = blocksOf(checked(pieces, key, options), BLOCK_BYTES, lengthOf(body, options))
	const running = new Set<Promise<void>>()
	const ids: string[] = []
	let size = 0
	try {
		for await (const block of blocks) {
			throwIfStopped({ ...task, signal })
			size += block.bytes.length
			if (block.isLast && ids.length === 0) return await writeWhole(put, block.bytes)
			if (ids.length === MAX_BLOCKS) throw tooLarge(put)
			const id = Buffer.from(`${put.id}${String(ids.length).padStart(6, '0')}`).toString('base64')
			ids.push(id)
			const job = stage(put, id, block, signal)
				.catch((error: unknown) => broken.abort(error))
				.finally(() => running.delete(job))
			running.add(job)
			if (running.size >= PARALLEL) await Promise.race(running)
		}
		await Promise.all(running)
		throwIfStopped({ ...task, signal })
	} catch (error) {
		broken.abort(error)
		await Promise.all(running)
		throw error
	}
	return commit(put, ids, size)
}

function lengthOf(body: PutBody, { size }: PutOptions): number | undefined {
	return body instanceof Uint8Array ? body.length : size
}

function tooLarge({ task }: Put): BackupError {
	return new BackupError('STORAGE_QUOTA', `cannot ${task.doing}: it has more than ${BLOCK_BYTES * MAX_BLOCKS} bytes`, {
		advice: 'split the object',
	})
}

async function stage({ context, key, task }: Put, id: string, block: Block, signal: AbortSignal): Promise<void> {
	const { bytes, release } = block
	const transactionalContentMD5 = hash('md5', bytes, 'buffer')
	await request(
		context,
		{ ...task, signal },
		(abortSignal) => blobOf(context, key).stageBlock(id, bytes, bytes.length, { transactionalContentMD5, abortSignal }),
		bytes.length,
	)
	release()
}

function writeWhole(put: Put, bytes: Uint8Array): Promise<ObjectInfo> {
	const transactionalContentMD5 = hash('md5', bytes, 'buffer')
	return appear(put, bytes.length, bytes.length, (abortSignal) =>
		blobOf(put.context, put.key).upload(bytes, bytes.length, {
			...properties(put),
			transactionalContentMD5,
			abortSignal,
		}),
	)
}

function commit(put: Put, ids: string[], size: number): Promise<ObjectInfo> {
	return appear(put, size, 0, (abortSignal) =>
		blobOf(put.context, put.key).commitBlockList(ids, { ...properties(put), abortSignal }),
	)
}

interface Properties {
	readonly conditions?: { ifNoneMatch: string }
	readonly immutabilityPolicy?: BlobImmutabilityPolicy
	readonly tier?: string
	readonly metadata: Record<string, string>
}

function properties({ context: { place }, options, id }: Put): Properties {
	const { immutability, tier } = place
	return {
		metadata: { [MARK]: id },
		...(options.ifAbsent && { conditions: { ifNoneMatch: '*' } }),
		...(tier && { tier }),
		...(options.retainUntil &&
			immutability && {
				immutabilityPolicy: { expiriesOn: wholeSecond(options.retainUntil), policyMode: immutability },
			}),
	}
}

/** The service knows whole seconds: never earlier than asked for. */
export function wholeSecond(date: Date): Date {
	return new Date(Math.ceil(date.getTime() / 1000) * 1000)
}

/** Other answers to a create-only put that mean that the object exists. */
const CONFLICTS: ReadonlySet<string | undefined> = new Set(['condition', 'overwrite'])

/** The request that makes the object appear. A conflict after an answer that was lost is settled by reading the mark back. */
async function appear(
	put: Put,
	size: number,
	bodyBytes: number,
	send: (signal: AbortSignal) => Promise<{ readonly lastModified?: Date | undefined }>,
): Promise<ObjectInfo> {
	const { context, key, options, task } = put
	using grace = later(options.signal, GRACE_MS)
	const patient = { ...task, signal: grace.signal }
	let mayBeDone = false
	return trying(
		task,
		(error) => errorOf(context, error, task),
		async () => {
			throwIfStopped(task)
			try {
				const { lastModified } = await once(context, patient, send, bodyBytes)
				return { key, size, modifiedAt: lastModified }
			} catch (error) {
				const failure = errorOf(context, error, task)
				const isLost = failure.reason === BLOCKS_LOST
				const isConflict = failure.code === 'STORAGE_ALREADY_EXISTS' || CONFLICTS.has(failure.reason)
				if (options.ifAbsent && (isLost || isConflict)) {
					const found = isLost || mayBeDone ? await ownerOf(put) : 'other'
					if (typeof found === 'object') return { key, size, modifiedAt: found.modifiedAt }
					if (isConflict || found === 'other') throw alreadyExists(put, found, failure)
				}
				mayBeDone ||= failure.retry !== 'no'
				throw failure
			}
		},
	)
}

/** Whether the object at the key is the one of this put; `unknown` when these credentials may not look. */
async function ownerOf({
	context,
	key,
	task,
	id,
}: Put): Promise<{ modifiedAt?: Date | undefined } | 'other' | 'absent' | 'unknown'> {
	try {
		const found = await request(context, task, (abortSignal) => blobOf(context, key).getProperties({ abortSignal }))
		return found.metadata?.[MARK] === id ? { modifiedAt: found.lastModified } : 'other'
	} catch (error) {
		throwIfStopped(task)
		return isBackupError(error, 'STORAGE_NOT_FOUND') ? 'absent' : 'unknown'
	}
}

function alreadyExists({ task }: Put, found: 'other' | 'absent' | 'unknown', cause: BackupError): BackupError {
	return new BackupError('STORAGE_ALREADY_EXISTS', `cannot ${task.doing}: the object exists`, {
		advice:
			found === 'unknown'
				? 'it may be from this very call, whose answer was lost: these credentials may not read it back'
				: 'objects are never rewritten',
		cause,
	})
}
