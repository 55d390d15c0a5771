import { BackupError } from '@ydbackup/core'
import { isAbsentObject, refusalError } from './failure.ts'
import type { Connections, Request, Response, Task } from './http.ts'
import type { Place } from './location.ts'
import type { Tokens } from './tokens.ts'
import { trying } from './trying.ts'

/** How often a request is made that changes nothing, or the same each time. */
const TRIES = 3

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

export interface Call {
	readonly method: string
	/** Below the endpoint, encoded. */
	readonly path: string
	readonly query?: Query
	readonly headers?: Readonly<Record<string, string>>
	readonly body?: readonly Uint8Array[]
}

/** Requests to one service, with a token. */
export class Client {
	readonly #place: Place
	readonly #connections: Connections
	readonly #tokens: Tokens

	constructor(place: Place, connections: Connections, tokens: Tokens) {
		this.#place = place
		this.#connections = connections
		this.#tokens = tokens
	}

	get connections(): Connections {
		return this.#connections
	}

	urlOf({ path, query = {} }: Pick<Call, 'path' | 'query'>): URL {
		const { endpoint, project } = this.#place
		const url = new URL(`${endpoint}${path}`)
		for (const [name, value] of Object.entries(query))
			for (const one of value === undefined ? [] : [value].flat()) url.searchParams.append(name, one)
		if (project !== undefined && !url.searchParams.has('upload_id')) url.searchParams.set('userProject', project)
		return url
	}

	/** One request. A token that is refused is replaced once: it may have been taken back, or have ended on the way. */
	async send(call: Call, task: Task): Promise<Response> {
		const url = this.urlOf(call)
		for (let isFirst = true; ; isFirst = false) {
			const token = await this.#tokens.current(task)
			const request: Request = {
				method: call.method,
				url,
				headers: { ...call.headers, ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
				body: call.body,
			}
			const response = await this.#connections.send(request, task)
			if (response.status !== 401 || token === undefined || !isFirst) return response
			this.#tokens.refused(token)
			await this.#connections.text(response, task)
		}
	}

	/** One request that must succeed; its answer, unread. */
	async must(call: Call, task: Task): Promise<Response> {
		const response = await this.send(call, task)
		if (response.status < 300) return response
		throw refusalError(await this.#connections.refusal(response, task), task.doing)
	}

	/** The JSON of an answer. */
	async json(response: Response, task: Task): Promise<Record<string, unknown>> {
		const text = await this.#connections.text(response, task)
		try {
			const value: unknown = JSON.parse(text)
			if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
		} catch {
			// Told below.
		}
		throw new BackupError('STORAGE_TRANSIENT', `cannot ${task.doing}: the answer is not JSON`, {
			retry: 'later',
			advice: 'check that the endpoint is the JSON API of Cloud Storage',
		})
	}

	/** A request that can be made more than once, and its JSON; `undefined` where the object is absent. */
	find(call: Call, task: Task): Promise<Record<string, unknown> | undefined> {
		return trying(task, TRIES, async () => {
			const response = await this.send(call, task)
			if (response.status < 300) return this.json(response, task)
			const refusal = await this.#connections.refusal(response, task)
			if (isAbsentObject(refusal)) return undefined
			throw refusalError(refusal, task.doing)
		})
	}

	/** A request that can be made more than once, and its JSON. */
	get(call: Call, task: Task): Promise<Record<string, unknown>> {
		return trying(task, TRIES, async () => this.json(await this.must(call, task), task))
	}

	/** Deletes an object; an absent one is fine. */
	remove(path: string, task: Task): Promise<void> {
		return trying(task, TRIES, async () => {
			const response = await this.send({ method: 'DELETE', path }, task)
			const refusal = await this.#connections.refusal(response, task)
			if (response.status >= 300 && !isAbsentObject(refusal)) throw refusalError(refusal, task.doing)
		})
	}

	/** A request that can be made more than once, and its answer, unread. */
	open(call: Call, task: Task): Promise<Response> {
		return trying(task, TRIES, () => this.must(call, task))
	}
}

export const bucketPath = (bucket: string): string => `/storage/v1/b/${encodeURIComponent(bucket)}`

export const objectPath = (bucket: string, name: string): string =>
	`${bucketPath(bucket)}/o/${encodeURIComponent(name)}`

export const uploadPath = (bucket: string): string => `/upload${bucketPath(bucket)}/o`
