import { BackupError, type Capabilities, type Lacking, type OpenContext, type Storage } from '@ydbackup/core'
import { MAX_CONCURRENCY, newSession } from './client.ts'
import type { S3Settings } from './location.ts'
import { placeOf } from './place.ts'
import { findLock, type Findings, probe, reach } from './probe.ts'
import { S3Storage } from './s3-storage.ts'
import { MAX_WHOLE_BYTES } from './whole.ts'
import { MAX_PARTS, Writer } from './writing.ts'

const UNTRIED: Lacking = { lacking: 'it is tried only when the store is opened for writing' }

/** Reaches the store and, when it is going to be written to, tries what it can do. */
export async function openS3(
	settings: S3Settings,
	location: string,
	claimed: Capabilities,
	{ signal, writable }: OpenContext,
): Promise<Storage> {
	const place = placeOf(settings, location)
	const session = await newSession(settings)
	try {
		await reach(session, place, `open ${location}`, signal)
		const retention = await findLock(session, place, signal)
		if (writable && settings.objectLockRetainDays !== undefined && retention !== true)
			throw new BackupError('STORAGE_UNSUPPORTED', `cannot hold objects in ${location}: ${retention.lacking}`, {
				advice: 'use a bucket with object lock, or leave objectLockRetainDays away',
			})
		const findings: Findings = writable
			? await probe(session, place, signal)
			: { conditionalPut: UNTRIED, conditionalComplete: UNTRIED, guard: 'md5' }
		const isCompleteConditional = findings.conditionalComplete === true
		const largest = MAX_PARTS * settings.partBytes
		const capabilities: Capabilities = {
			...claimed,
			conditionalCreate: findings.conditionalPut,
			retention,
			maxObjectBytes:
				findings.conditionalPut === true && !isCompleteConditional ? Math.min(MAX_WHOLE_BYTES, largest) : largest,
			maxConcurrency: MAX_CONCURRENCY,
		}
		return new S3Storage(
			session,
			place,
			new Writer(session, place, findings.guard, isCompleteConditional),
			capabilities,
		)
	} catch (error) {
		await session[Symbol.asyncDispose]()
		throw error
	}
}
