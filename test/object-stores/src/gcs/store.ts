import { crc32c, md5 } from './checksums.ts'
import { badRequest, noBucket, noObject, retained, unmetCondition } from './errors.ts'

export interface Retention {
	readonly mode: 'Locked' | 'Unlocked'
	readonly retainUntilTime: string
}

/** What a client says of an object that it writes. */
export interface Resource {
	readonly name?: string
	readonly contentType?: string
	readonly cacheControl?: string
	readonly metadata?: Record<string, string>
	readonly crc32c?: string
	readonly md5Hash?: string
	readonly retention?: Retention
}

export interface StoredObject {
	readonly name: string
	readonly pieces: readonly Buffer[]
	readonly size: number
	readonly generation: bigint
	metageneration: number
	readonly crc32c: string
	readonly md5: string
	readonly createdAt: Date
	updatedAt: Date
	readonly resource: Resource
	retention: Retention | undefined
}

export interface BucketOptions {
	readonly name: string
	/** Objects are held so long by the bucket's policy. */
	readonly retentionSeconds?: number
	/** Whether objects may carry a retention of their own. */
	readonly objectRetention?: boolean
	/** Keeps what is deleted or overwritten as old versions, held ones too: nobody asks for them here, so they are not kept. */
	readonly versioning?: boolean
}

/** Conditions of a call; absent ones hold. */
export interface Conditions {
	readonly ifGenerationMatch?: bigint | undefined
	readonly ifMetagenerationMatch?: bigint | undefined
}

/** The objects of one bucket. Every method is one step: nothing can come between a condition and its write. */
export class Bucket {
	readonly options: BucketOptions
	readonly #objects = new Map<string, StoredObject>()
	#names: string[] | undefined

	constructor(options: BucketOptions) {
		this.options = options
	}

	/** Names in the order of their UTF-8 bytes. */
	names(): readonly string[] {
		this.#names ??= [...this.#objects.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
		return this.#names
	}

	find(name: string): StoredObject | undefined {
		return this.#objects.get(name)
	}

	get(name: string): StoredObject {
		const found = this.#objects.get(name)
		if (!found) throw noObject(this.options.name, name)
		return found
	}

	/** Throws where a write or delete of the name would not be allowed now. */
	check(name: string, { ifGenerationMatch, ifMetagenerationMatch }: Conditions): void {
		const found = this.#objects.get(name)
		if (ifGenerationMatch !== undefined && ifGenerationMatch !== (found?.generation ?? 0n)) throw unmetCondition()
		if (ifMetagenerationMatch !== undefined && ifMetagenerationMatch !== BigInt(found?.metageneration ?? 0))
			throw unmetCondition()
	}

	heldUntil({ retention, createdAt }: StoredObject): Date | undefined {
		const { retentionSeconds } = this.options
		const own = retention === undefined ? 0 : Date.parse(retention.retainUntilTime)
		const policy = retentionSeconds === undefined ? 0 : createdAt.getTime() + retentionSeconds * 1000
		const until = Math.max(own, policy)
		return until > Date.now() ? new Date(until) : undefined
	}

	#refuseHeld(name: string): void {
		if (this.options.versioning === true) return
		const found = this.#objects.get(name)
		const until = found && this.heldUntil(found)
		if (until) throw retained(this.options.name, name, until)
	}

	checkRetention(retention: Retention | undefined): void {
		if (retention === undefined) return
		if (this.options.objectRetention !== true)
			throw badRequest('The bucket does not have object retention enabled.', 'invalid')
		if (!['Locked', 'Unlocked'].includes(retention.mode) || !(Date.parse(retention.retainUntilTime) > Date.now()))
			throw badRequest('Invalid retention.')
	}

	put(name: string, pieces: readonly Buffer[], resource: Resource, conditions: Conditions): StoredObject {
		if (name === '' || Buffer.byteLength(name) > 1024 || /[\r\n]/.test(name)) throw badRequest('Invalid object name.')
		this.checkRetention(resource.retention)
		const sums = { crc32c: crc32c(pieces), md5: md5(pieces) }
		if (resource.crc32c !== undefined && resource.crc32c !== sums.crc32c)
			throw badRequest(
				`Provided CRC32C "${resource.crc32c}" doesn't match calculated CRC32C "${sums.crc32c}".`,
				'invalid',
			)
		if (resource.md5Hash !== undefined && resource.md5Hash !== sums.md5)
			throw badRequest(`Provided MD5 hash "${resource.md5Hash}" doesn't match calculated MD5 hash "${sums.md5}".`)
		this.check(name, conditions)
		this.#refuseHeld(name)
		const now = new Date()
		const object: StoredObject = {
			name,
			pieces,
			size: pieces.reduce((sum, { length }) => sum + length, 0),
			generation: nextGeneration(),
			metageneration: 1,
			...sums,
			createdAt: now,
			updatedAt: now,
			resource,
			retention: resource.retention,
		}
		if (!this.#objects.has(name)) this.#names = undefined
		this.#objects.set(name, object)
		return object
	}

	delete(name: string, conditions: Conditions): void {
		this.get(name)
		this.check(name, conditions)
		this.#refuseHeld(name)
		this.#objects.delete(name)
		this.#names = undefined
	}

	/** Sets the retention of an object. A locked one only grows. */
	hold(name: string, retention: Retention, conditions: Conditions): StoredObject {
		const found = this.get(name)
		this.check(name, conditions)
		this.checkRetention(retention)
		const { retention: old } = found
		const shortens = old !== undefined && Date.parse(retention.retainUntilTime) < Date.parse(old.retainUntilTime)
		if (old && (shortens || (old.mode === 'Locked' && retention.mode !== 'Locked')))
			throw retained(this.options.name, name, new Date(old.retainUntilTime))
		found.retention = retention
		found.metageneration++
		found.updatedAt = new Date()
		return found
	}
}

let lastGeneration = 0n

function nextGeneration(): bigint {
	const now = BigInt(Date.now()) * 1000n
	lastGeneration = now > lastGeneration ? now : lastGeneration + 1n
	return lastGeneration
}

export class Store {
	readonly #buckets: Map<string, Bucket>

	constructor(buckets: readonly BucketOptions[]) {
		this.#buckets = new Map(buckets.map((options) => [options.name, new Bucket(options)]))
	}

	bucket(name: string): Bucket {
		const found = this.#buckets.get(name)
		if (!found) throw noBucket()
		return found
	}
}

/** An object as the JSON API shows it. */
export function resourceOf(bucket: Bucket, object: StoredObject): Record<string, unknown> {
	const until = bucket.heldUntil(object)
	const { name: bucketName } = bucket.options
	return {
		kind: 'storage#object',
		id: `${bucketName}/${object.name}/${object.generation}`,
		name: object.name,
		bucket: bucketName,
		generation: String(object.generation),
		metageneration: String(object.metageneration),
		contentType: object.resource.contentType ?? 'application/octet-stream',
		...(object.resource.cacheControl !== undefined && { cacheControl: object.resource.cacheControl }),
		storageClass: 'STANDARD',
		size: String(object.size),
		md5Hash: object.md5,
		crc32c: object.crc32c,
		etag: Buffer.from(String(object.generation)).toString('base64'),
		timeCreated: object.createdAt.toISOString(),
		updated: object.updatedAt.toISOString(),
		...(object.resource.metadata && { metadata: object.resource.metadata }),
		...(object.retention && { retention: object.retention }),
		...(until && { retentionExpirationTime: until.toISOString() }),
	}
}
