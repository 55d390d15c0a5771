import { BackupError, isBackupError } from '@ydbackup/core'
import type { Chunk } from './chunks.ts'
import { type Call, type Client, uploadPath } from './client.ts'
import { refusalError } from './failure.ts'
import type { Response, Task } from './http.ts'
import { mayHelp, pauseBefore, trying } from './trying.ts'

/** How often in a row a session may fail to begin, or a chunk without a byte being kept: kept connections that have died count too. */
const TRIES = 6
const CANCEL_MS = 5000

type Stored = Record<string, unknown>

/** A resumable upload. Its address is a right to write and is never shown. */
export class Session {
	readonly #client: Client
	readonly #query: Readonly<Record<string, string>>
	readonly #bucket: string
	#mayHaveFinished = false
	#isOver = false

	private constructor(client: Client, bucket: string, query: Readonly<Record<string, string>>) {
		this.#client = client
		this.#bucket = bucket
		this.#query = query
	}

	/** Whether the last chunk was sent at least once, so that the object may be there whatever was answered. */
	get mayHaveFinished(): boolean {
		return this.#mayHaveFinished
	}

	static async begin(
		client: Client,
		bucket: string,
		resource: Stored,
		condition: { readonly ifGenerationMatch?: string },
		task: Task,
	): Promise<Session> {
		const call: Call = {
			method: 'POST',
			path: uploadPath(bucket),
			query: { uploadType: 'resumable', name: String(resource['name']), ...condition },
			headers: {
				'Content-Type': 'application/json; charset=UTF-8',
				'X-Upload-Content-Type': 'application/octet-stream',
			},
			body: [Buffer.from(JSON.stringify(resource))],
		}
		return trying(task, TRIES, async () => {
			const response = await client.must(call, task)
			await client.connections.text(response, task)
			const { location } = response.headers
			const address = location !== undefined && URL.canParse(location) ? new URL(location) : undefined
			const id = address?.searchParams.get('upload_id')
			if (!address || !id)
				throw new BackupError('STORAGE_PERMANENT', `cannot ${task.doing}: the store began no upload session`, {
					advice: 'check that the endpoint is the JSON API of Cloud Storage',
				})
			// The rest of the address is left aside: tokens go to the endpoint of the location and nowhere else.
			return new Session(client, bucket, { ...Object.fromEntries(address.searchParams), upload_id: id })
		})
	}

	/** Sends a chunk until it is kept whole. The last one gives the object; one before it only where the store ends the upload on its own. */
	async push({ bytes, start, isLast }: Chunk, sum: string, task: Task): Promise<Stored | undefined> {
		const end = start + bytes.length
		let from = start
		let failures = 0
		let isKnown = true
		for (;;) {
			try {
				if (isLast) this.#mayHaveFinished = true
				const response = isKnown
					? await this.#request(
							`bytes ${from}-${end - 1}/${isLast ? end : '*'}`,
							bytes.subarray(from - start),
							isLast ? { 'X-Goog-Hash': `crc32c=${sum}` } : {},
							task,
						)
					: await this.#request(`bytes */${isLast ? end : '*'}`, undefined, {}, task)
				if (response.status === 200 || response.status === 201) {
					this.#isOver = true
					return await this.#client.json(response, task)
				}
				const kept = await this.#kept(response, task)
				if (kept < start || kept > end) throw lost(task, `the store has ${kept} bytes of ${start} to ${end}`)
				if (kept > from) failures = 0
				from = kept
				isKnown = true
				if (kept < end) {
					if (++failures > TRIES) throw lost(task, 'the store keeps no more bytes')
					continue
				}
				if (!isLast) return undefined
				// Every byte is there and the object is not: the status query, with the size, ends it.
				isKnown = false
				if (++failures > TRIES) throw lost(task, 'the store does not end the upload')
			} catch (error) {
				// What the session has kept cannot be mended.
				if (isBackupError(error, 'STORAGE_INTEGRITY')) throw error
				if (this.#isOver || ++failures >= TRIES || !mayHelp(error)) throw error
				await pauseBefore(failures + 1, error, task)
				isKnown = false
			}
		}
	}

	async #request(
		range: string,
		body: Uint8Array | undefined,
		headers: Readonly<Record<string, string>>,
		task: Task,
	): Promise<Response> {
		const response = await this.#client.send(
			{
				method: 'PUT',
				path: uploadPath(this.#bucket),
				query: this.#query,
				headers: { ...headers, 'Content-Range': range },
				...(body && { body: [body] }),
			},
			task,
		)
		if (response.status < 300 || response.status === 308) return response
		const refusal = await this.#client.connections.refusal(response, task)
		if ([404, 410, 499].includes(refusal.status)) {
			this.#isOver = true
			throw lost(task, `the store no longer knows the upload (${refusal.status})`)
		}
		throw refusalError(refusal, task.doing)
	}

	/** How many bytes the store has kept. */
	async #kept(response: Response, task: Task): Promise<number> {
		await this.#client.connections.text(response, task)
		const { range } = response.headers
		if (range === undefined) return 0
		const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(range) ?? []
		if (last === undefined) throw lost(task, 'the store does not say how much it has')
		return Number(last) + 1
	}

	/** Tells the store to forget what it has; it would do so by itself after a week. Does not throw. */
	async cancel(): Promise<void> {
		if (this.#isOver) return
		this.#isOver = true
		const task: Task = { doing: 'cancel an upload', signal: AbortSignal.timeout(CANCEL_MS) }
		try {
			const call = { method: 'DELETE', path: uploadPath(this.#bucket), query: this.#query }
			await this.#client.connections.text(await this.#client.send(call, task), task)
		} catch (error) {
			if (!isBackupError(error)) throw error
		}
	}
}

/** Only a new put can help, which its caller makes. */
export function lost({ doing }: Task, why: string): BackupError {
	return new BackupError('STORAGE_TRANSIENT', `cannot ${doing}: ${why}`, {
		retry: 'later',
		reason: 'upload-lost',
		advice: 'the object must be written again from its beginning',
	})
}
