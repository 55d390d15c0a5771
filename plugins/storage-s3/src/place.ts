import { createHash } from 'node:crypto'
import type { S3Settings } from './location.ts'

/** Bucket and names of the objects of one repository, and the parameters that its requests share. */
export interface Place {
	/** Without secrets, for messages. */
	readonly location: string
	readonly settings: S3Settings
	readonly bucket: string
	/** Key in the bucket of a key of the contract. */
	at(key: string): { readonly Bucket: string; readonly Key: string }
	/** For requests that create an object. */
	readonly creating: Readonly<Record<string, string>>
	/** For requests that read an object or send a part: the key of SSE-C. */
	readonly unlocking: Readonly<Record<string, string>>
	/** How long a new object is held. */
	holding(retainUntil: Date | undefined): Readonly<Record<string, string | Date>>
}

const DAY_MS = 86_400_000

/** The place that settings name. */
export function placeOf(settings: S3Settings, location: string): Place {
	const { bucket, prefix, sse, kmsKeyId, storageClass, customerKey, objectLockMode, objectLockRetainDays } = settings
	const unlocking: Record<string, string> =
		customerKey === undefined
			? {}
			: {
					SSECustomerAlgorithm: 'AES256',
					SSECustomerKey: customerKey,
					SSECustomerKeyMD5: createHash('md5').update(Buffer.from(customerKey, 'base64')).digest('base64'),
				}
	return {
		location,
		settings,
		bucket,
		at: (key) => ({ Bucket: bucket, Key: prefix + key }),
		unlocking,
		creating: {
			...unlocking,
			...(sse !== undefined && { ServerSideEncryption: sse }),
			...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
			...(storageClass !== undefined && { StorageClass: storageClass }),
		},
		holding(retainUntil) {
			const days = objectLockRetainDays === undefined ? undefined : new Date(Date.now() + objectLockRetainDays * DAY_MS)
			const until = days && retainUntil ? new Date(Math.max(+days, +retainUntil)) : (retainUntil ?? days)
			if (!until) return {}
			return { ObjectLockMode: objectLockMode ?? 'GOVERNANCE', ObjectLockRetainUntilDate: until }
		},
	}
}
