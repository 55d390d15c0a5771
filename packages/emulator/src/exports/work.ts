import { setTimeout as sleep } from 'node:timers/promises'
import type { Faults } from '../faults.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import type { Copied, Item, State } from './operation.ts'
import { S3Client, type StoreAddress } from './s3-client.ts'

/** What goes on at once in one operation. A guess: the server's limits are those of its shards. */
const AT_ONCE = 4

/** What an operation may change. Everything is kept. */
export interface OperationChanges {
	scheme(method: string, request: Uint8Array): void
	directory(path: string): void
	state(state: State): void
	copied(copied: Copied): void
	item(
		at: number,
		change: Partial<Pick<Item, 'state' | 'partsTotal' | 'partsDone' | 'startedAt' | 'endedAt' | 'issue'>>,
	): void
	items(items: readonly Item[]): void
	/** Rows that were put into a table: entries sorted by key. */
	rows(path: string, entries: readonly { readonly key: Buffer; readonly row: Buffer | null }[]): void
}

/** What an operation works with. */
export interface Around {
	readonly tree: SchemeTree
	readonly faults: Faults
	readonly changes: OperationChanges
	/** PEM of authorities of stores. */
	readonly ca: string | undefined
	readonly signal: AbortSignal
	readonly now: () => number
}

const HTTP = 1

export function clientOf(
	settings: {
		readonly endpoint: string
		readonly scheme: number
		readonly bucket: string
		readonly accessKey: string
		readonly secretKey: string
		readonly region: string
		readonly disableVirtualAddressing: boolean
	},
	{ ca }: Pick<Around, 'ca'>,
): S3Client {
	const { endpoint, bucket, accessKey, secretKey, region } = settings
	const address: StoreAddress = {
		endpoint,
		bucket,
		accessKey,
		secretKey,
		region: region || 'us-east-1',
		isHttp: settings.scheme === HTTP,
		isVirtual: !settings.disableVirtualAddressing,
		ca,
	}
	return new S3Client(address)
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
	signal.throwIfAborted()
	if (ms > 0) await sleep(ms, undefined, { signal })
}

/** Runs all of the work, some of it at once, in its order. The first failure stops what has not begun, and is thrown when the rest has ended. */
export async function inParallel(
	work: readonly (() => Promise<void>)[],
	{ signal }: Pick<Around, 'signal'>,
): Promise<void> {
	const queue = work[Symbol.iterator]()
	let failure: { readonly error: unknown } | undefined
	const worker = async (): Promise<void> => {
		for (const each of queue) {
			if (failure) return
			try {
				signal.throwIfAborted()
				await each()
			} catch (error) {
				failure ??= { error }
			}
		}
	}
	await Promise.all(Array.from({ length: AT_ONCE }, worker))
	if (failure) throw failure.error
}
