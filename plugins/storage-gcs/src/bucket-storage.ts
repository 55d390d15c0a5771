import {
	assertKey,
	BackupError,
	type CallOptions,
	type Capabilities,
	type GetOptions,
	isKey,
	isKeyPrefix,
	type ListOptions,
	type ObjectBody,
	type ObjectInfo,
	type PutBody,
	type PutOptions,
	type Storage,
	throwIfInterrupted,
} from '@ydbackup/core'
import { bucketPath, type Client, objectPath } from './client.ts'
import { download } from './download.ts'
import type { Task } from './http.ts'
import type { Place } from './location.ts'
import { extendHold, holdEnd } from './retention.ts'
import { dateOf, upload } from './upload.ts'

/** What a page of a listing holds at most, where the service keeps to its documentation. */
const FULL_PAGE = 1000

export interface BucketStorageOptions {
	readonly client: Client
	readonly place: Place
	readonly capabilities: Capabilities
	/** Whether deleted objects live on as old versions: a held one would let itself be hidden then. */
	readonly isVersioned: boolean
}

/** A bucket, or the names below a prefix in it, as a store: one object per key. */
export class BucketStorage implements Storage {
	readonly location: string
	readonly capabilities: Capabilities
	readonly extendRetention?: NonNullable<Storage['extendRetention']>
	readonly #client: Client
	readonly #place: Place
	readonly #isVersioned: boolean

	constructor({ client, place, capabilities, isVersioned }: BucketStorageOptions) {
		this.location = place.shown
		this.capabilities = capabilities
		this.#client = client
		this.#place = place
		this.#isVersioned = isVersioned
		if (capabilities.retention === true)
			this.extendRetention = (key, until, { signal } = {}) => {
				assertKey(key)
				const { bucket, retention } = place
				const object = { bucket, name: this.#nameOf(key), key }
				return extendHold(client, object, { until, mode: retention }, this.#task(`hold ${key}`, signal))
			}
	}

	#nameOf(key: string): string {
		return this.#place.prefix + key
	}

	#pathOf(key: string): string {
		return objectPath(this.#place.bucket, this.#nameOf(key))
	}

	#task(what: string, signal: AbortSignal | undefined): Task {
		const doing = `${what} in ${this.location}`
		throwIfInterrupted(signal, `trying to ${doing}`)
		return { doing, signal }
	}

	async put(key: string, body: PutBody, options: PutOptions = {}): Promise<ObjectInfo> {
		assertKey(key)
		const { retainUntil, ifAbsent } = options
		this.#demand('retention', retainUntil !== undefined, key)
		this.#demand('conditionalCreate', ifAbsent === true, key)
		const task = this.#task(`write ${key}`, options.signal)
		if (ifAbsent !== true) await this.#refuseHeld(key, task)
		const { bucket, retention } = this.#place
		return upload(
			{ client: this.#client, bucket, name: this.#nameOf(key), key, options, retention, doing: task.doing },
			body,
		)
	}

	#demand(what: 'retention' | 'conditionalCreate', isAsked: boolean, key: string): void {
		const has = this.capabilities[what]
		if (!isAsked || has === true) return
		throw new BackupError('STORAGE_UNSUPPORTED', `cannot write ${key} in ${this.location} with ${what}: ${has.lacking}`)
	}

	async get(key: string, { range, signal }: GetOptions = {}): Promise<ObjectBody> {
		assertKey(key)
		const job = { client: this.#client, bucket: this.#place.bucket, name: this.#nameOf(key), key, range }
		return download({ ...job, stat: () => this.stat(key, { signal }) }, this.#task(`read ${key}`, signal))
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
		assertKey(key)
		const task = this.#task(`look for ${key}`, signal)
		const call = { method: 'GET', path: this.#pathOf(key), query: { fields: 'size,timeCreated' } }
		const found = await this.#client.find(call, task)
		return found && infoOf(key, found)
	}

	async *list(prefix: string, { startAfter, signal }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
		if (!isKeyPrefix(prefix))
			throw new BackupError(
				'STORAGE_PERMANENT',
				`${JSON.stringify(prefix.slice(0, 600))} is not the beginning of a key`,
				{
					advice: 'keys consist of letters, digits and ._=- in segments divided by /, without . and .. segments',
				},
			)
		const { bucket, prefix: root } = this.#place
		let startOffset = startAfter === undefined ? undefined : root + startAfter
		let pageToken: string | undefined
		let before = startAfter ?? ''
		for (;;) {
			const task = this.#task(`list ${prefix || 'all objects'}`, signal)
			const query = {
				prefix: root + prefix,
				startOffset,
				maxResults: String(FULL_PAGE),
				pageToken,
				fields: 'nextPageToken,items(name,size,timeCreated)',
			}
			const page = await this.#client.get({ method: 'GET', path: `${bucketPath(bucket)}/o`, query }, task)
			const { items = [], nextPageToken } = page as { items?: Record<string, unknown>[]; nextPageToken?: string }
			for (const item of items) {
				const name = String(item['name'])
				const key = name.slice(root.length)
				if (!isKey(key) || !key.startsWith(prefix) || name === startOffset) continue
				if (key <= before && before !== '')
					throw new BackupError('STORAGE_PERMANENT', `cannot ${task.doing}: ${key} came after ${before}`, {
						advice: 'use an endpoint that lists names in the order of their bytes',
					})
				before = key
				throwIfInterrupted(signal, `trying to ${task.doing}`)
				yield infoOf(key, item)
			}
			const isLast = nextPageToken === undefined || nextPageToken === ''
			if (isLast && items.length < FULL_PAGE) return
			// A full page that claims to be the last may come from a store that knows no other: it is asked for what follows.
			const next = isLast ? String(items.at(-1)?.['name']) : undefined
			if (next === undefined ? nextPageToken === pageToken : next === startOffset)
				throw new BackupError('STORAGE_PERMANENT', `cannot ${task.doing}: the same page came twice`, {
					advice: 'use an endpoint that lists page by page, as Cloud Storage does',
				})
			startOffset = next ?? startOffset
			pageToken = isLast ? undefined : nextPageToken
		}
	}

	async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key)
		const task = this.#task(`delete ${key}`, signal)
		await this.#refuseHeld(key, task)
		await this.#client.remove(this.#pathOf(key), task)
	}

	/** With versions the service would make an old one of a held object and report success. */
	async #refuseHeld(key: string, task: Task): Promise<void> {
		if (!this.#isVersioned) return
		const until = await holdEnd(this.#client, this.#pathOf(key), task)
		if (!until || until.getTime() <= Date.now()) return
		throw new BackupError('STORAGE_PERMISSION', `cannot ${task.doing}: it is held until ${until.toISOString()}`, {
			reason: 'held',
			advice: 'the object is held: wait until its retention ends',
		})
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#client.connections[Symbol.dispose]()
	}
}

function infoOf(key: string, { size, timeCreated }: Record<string, unknown>): ObjectInfo {
	return { key, size: Number(size), modifiedAt: dateOf(timeCreated) }
}
