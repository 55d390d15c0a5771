import {
	assertKey,
	BackupError,
	type CallOptions,
	type Capabilities,
	type GetOptions,
	isBackupError,
	type ListOptions,
	type ObjectBody,
	type ObjectInfo,
	type PutBody,
	type PutOptions,
	type Storage,
} from '@ydbackup/core'
import { blobOf, request, type StoreContext } from './context.ts'
import { download } from './download.ts'
import { listing } from './listing.ts'
import { type Task, throwIfStopped } from './trying.ts'
import { upload, wholeSecond } from './upload.ts'

/** A container, or what is below a prefix of it, as a store: one block blob per object. */
export class AzureStorage implements Storage {
	readonly location: string
	readonly capabilities: Capabilities
	readonly extendRetention?: (key: string, until: Date, options?: CallOptions) => Promise<void>
	readonly #context: StoreContext
	readonly #close: () => void

	constructor(context: StoreContext, capabilities: Capabilities, close: () => void) {
		this.#context = context
		this.#close = close
		this.location = context.place.shown
		this.capabilities = capabilities
		if (context.holds) this.extendRetention = (key, until, options) => this.#extendRetention(key, until, options)
	}

	#task(doing: string, signal: AbortSignal | undefined): Task {
		const task = { doing: `${doing} in ${this.location}`, signal }
		throwIfStopped(task)
		return task
	}

	async put(key: string, body: PutBody, options: PutOptions = {}): Promise<ObjectInfo> {
		assertKey(key)
		if (options.retainUntil && !this.#context.holds) {
			const { retention } = this.capabilities
			throw new BackupError('STORAGE_UNSUPPORTED', `cannot hold ${key} in ${this.location}`, {
				advice: retention === true ? 'hold it later' : retention.lacking,
			})
		}
		const { conditionalCreate } = this.capabilities
		if (options.ifAbsent && conditionalCreate !== true)
			throw new BackupError('STORAGE_UNSUPPORTED', `cannot create ${key} in ${this.location}`, {
				advice: conditionalCreate.lacking,
			})
		// With versions the service would let a held object be hidden behind a new one.
		if (!options.ifAbsent) await this.#refuseHeld(key, this.#task(`write ${key}`, options.signal))
		return upload(this.#context, key, body, options)
	}

	async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
		assertKey(key)
		return download(this.#context, key, options)
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
		assertKey(key)
		const found = await this.#properties(key, this.#task(`look for ${key}`, signal))
		return found && { key, size: found.contentLength ?? 0, modifiedAt: found.lastModified }
	}

	list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
		return listing(this.#context, prefix, options, this.capabilities.orderedList === true)
	}

	async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key)
		const task = this.#task(`delete ${key}`, signal)
		await this.#refuseHeld(key, task)
		try {
			await request(this.#context, task, (abortSignal) => blobOf(this.#context, key).delete({ abortSignal }))
		} catch (error) {
			if (!isAbsence(error)) throw error
		}
	}

	async #properties(key: string, task: Task): Promise<Properties | undefined> {
		try {
			return await request(this.#context, task, (abortSignal) =>
				blobOf(this.#context, key).getProperties({ abortSignal }),
			)
		} catch (error) {
			if (isAbsence(error)) return undefined
			throw error
		}
	}

	/** The service would make a version of a held object and report success. */
	async #refuseHeld(key: string, task: Task): Promise<void> {
		if (!this.#context.holds) return
		const {
			date = new Date(),
			immutabilityPolicyExpiresOn: until,
			legalHold,
		} = (await this.#properties(key, task)) ?? {}
		if (!legalHold && !(until && until > date)) return
		throw new BackupError(
			'STORAGE_PERMISSION',
			`cannot ${task.doing}: it is held ${legalHold ? 'by a legal hold' : `until ${until?.toISOString()}`}`,
			{ reason: 'held', advice: 'wait until its retention ends' },
		)
	}

	async #extendRetention(key: string, until: Date, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key)
		const task = this.#task(`hold ${key}`, signal)
		const found = await this.#properties(key, task)
		if (!found) throw new BackupError('STORAGE_NOT_FOUND', `cannot ${task.doing}: it is not there`)
		const { immutabilityPolicyExpiresOn: current, immutabilityPolicyMode: mode } = found
		if (current && current >= until) return
		const policyMode = mode?.toLowerCase() === 'locked' ? 'Locked' : (this.#context.place.immutability ?? 'Unlocked')
		await request(this.#context, task, (abortSignal) =>
			blobOf(this.#context, key).setImmutabilityPolicy({ expiriesOn: wholeSecond(until), policyMode }, { abortSignal }),
		)
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#close()
	}
}

type Properties = Awaited<ReturnType<ReturnType<typeof blobOf>['getProperties']>>

/** An object that is not there; a container that is not there is something else. */
function isAbsence(error: unknown): boolean {
	return isBackupError(error, 'STORAGE_NOT_FOUND') && error.reason !== 'container-missing'
}
