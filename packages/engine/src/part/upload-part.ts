import { BackupError, type RowChunk, type Storage, type TableSchema } from '@ydbackup/core'
import type { Compression, FileEncryptor } from '@ydbackup/format'

import type { Meter } from '../events/meter.ts'
import { encodePart, type PartFacts } from './encode-part.ts'

export interface UploadPartOptions {
	readonly storage: Storage
	readonly key: string
	/** Reads the rows of the partition; called once for each attempt. */
	readonly open: () => AsyncIterable<RowChunk>
	readonly schema: TableSchema
	readonly compression: Compression
	/** One for all attempts. */
	readonly encryptor: FileEncryptor | undefined
	readonly meter: Meter
	readonly signal: AbortSignal
	readonly onRetry: () => void
}

/**
 * Streams one partition to storage. When the store makes the put again the whole way is gone again, from the database on; an
 * attempt that gives other bytes than a complete one before it means that the snapshot is not frozen, and fails.
 */
export async function uploadPart(options: UploadPartOptions): Promise<PartFacts> {
	const { storage, key, meter } = options
	const part = meter.openPart()
	let attempts = 0
	let complete: PartFacts | undefined
	let isLatestComplete = false
	let current: AsyncGenerator<Uint8Array, void, undefined> | undefined

	function open(): AsyncIterable<Uint8Array> {
		const attempt = ++attempts
		abandon()
		isLatestComplete = false
		if (attempt > 1) {
			part.takeBack()
			options.onRetry()
		}
		current = encodePart(options.open(), {
			schema: options.schema,
			compression: options.compression,
			encryptor: options.encryptor,
			meter: part,
			onComplete(facts) {
				if (complete !== undefined) assertSame(complete, facts, key)
				complete = facts
				if (attempt === attempts) isLatestComplete = true
			},
		})
		return current
	}

	/** A store may leave a stream half read and never close it; its rows would hold memory and a place at the database. */
	function abandon(): void {
		void current?.return().catch(() => undefined)
	}

	try {
		const info = await storage.put(key, open, { signal: options.signal })
		if (complete === undefined || !isLatestComplete) {
			throw new BackupError(
				'STORAGE_INTEGRITY',
				`the store says ${key} is written, but did not take all of its bytes`,
				{
					advice: 'check the storage driver',
				},
			)
		}
		if (info.size !== complete.size) {
			throw new BackupError(
				'STORAGE_INTEGRITY',
				`${key} has ${info.size} bytes on storage, and ${complete.size} bytes were sent`,
				{ advice: 'check the storage and what stands between, then run again' },
			)
		}
		return complete
	} catch (error) {
		part.takeBack()
		throw error
	} finally {
		abandon()
	}
}

function assertSame(first: PartFacts, second: PartFacts, key: string): void {
	for (const name of ['rows', 'plainSha256', 'sha256', 'rowHash'] as const) {
		if (first[name] === second[name]) continue
		throw new BackupError(
			'DATA_MISMATCH',
			`the rows for ${key} changed between two readings of the snapshot: ${name} was ${first[name]}, now ${second[name]}`,
			{ advice: 'something writes to the copies of this run; find out what, and run again' },
		)
	}
}
