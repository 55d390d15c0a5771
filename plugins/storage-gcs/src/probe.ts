import { randomUUID } from 'node:crypto'
import { BackupError, type Capabilities, isBackupError, type Lacking } from '@ydbackup/core'
import { bucketPath, type Client, objectPath, uploadPath } from './client.ts'
import { isAbsentObject, refusalError } from './failure.ts'
import type { Task } from './http.ts'
import type { Place } from './location.ts'

/** What opening finds out about a bucket. */
export interface Findings {
	readonly conditionalCreate: Capabilities['conditionalCreate']
	readonly retention: Capabilities['retention']
	readonly isVersioned: boolean
}

const RIGHTS = ['create', 'get', 'list', 'delete'].map((verb) => `storage.objects.${verb}`)

/** Looks at a bucket: whether it is there and may be used at all, and what it can do. Throws where it is of no use. */
export async function probe(client: Client, place: Place, writable: boolean, task: Task): Promise<Findings> {
	await checkAccess(client, place, task)
	return {
		...(await settingsOf(client, place, task)),
		conditionalCreate: writable ? await checkConditions(client, place, task) : true,
	}
}

async function checkAccess(client: Client, { bucket, prefix }: Place, task: Task): Promise<void> {
	const query = { prefix, maxResults: '1', fields: 'nextPageToken' }
	try {
		await client.get({ method: 'GET', path: `${bucketPath(bucket)}/o`, query }, task)
	} catch (error) {
		if (!isBackupError(error, 'STORAGE_PERMISSION') || error.reason !== undefined) throw error
		// Who may not list may still put or get: anybody may ask what he may do.
		const path = `${bucketPath(bucket)}/iam/testPermissions`
		const found = await client
			.get({ method: 'GET', path, query: { permissions: RIGHTS } }, task)
			.catch((failure: unknown) => {
				if (isBackupError(failure, 'INTERRUPTED')) throw failure
				throw error
			})
		if (!Array.isArray(found['permissions']) || found['permissions'].length === 0) throw error
	}
}

async function settingsOf(
	client: Client,
	{ bucket }: Place,
	task: Task,
): Promise<Pick<Findings, 'retention' | 'isVersioned'>> {
	const lacking = (why: string): Lacking => ({ lacking: why })
	try {
		const query = { fields: 'objectRetention,versioning' }
		const found = await client.get({ method: 'GET', path: bucketPath(bucket), query }, task)
		const { objectRetention, versioning } = found as {
			objectRetention?: { mode?: string }
			versioning?: { enabled?: boolean }
		}
		return {
			retention:
				objectRetention?.mode === 'Enabled' || lacking(`the bucket ${bucket} was created without object retention`),
			isVersioned: versioning?.enabled === true,
		}
	} catch (error) {
		const isUntold = ['STORAGE_PERMISSION', 'STORAGE_NOT_FOUND', 'STORAGE_UNSUPPORTED', 'STORAGE_PERMANENT'].some(
			(code) => isBackupError(error) && error.code === code,
		)
		if (!isUntold) throw error
		const why = `the settings of the bucket ${bucket} cannot be read (storage.buckets.get)`
		return { retention: lacking(why), isVersioned: false }
	}
}

/**
 * Whether conditions are obeyed: a put under one that cannot hold must be refused, and leaves nothing. Where it is not refused,
 * its object is removed again.
 */
async function checkConditions(client: Client, place: Place, task: Task): Promise<Findings['conditionalCreate']> {
	const { bucket, prefix, endpoint } = place
	if (/(?:^|\.)googleapis\.com$/.test(new URL(endpoint).hostname)) return true
	// The tilde is in no key.
	const name = `${prefix}.~probe-${randomUUID()}`
	const response = await client.send(
		{
			method: 'POST',
			path: uploadPath(bucket),
			query: { uploadType: 'media', name, ifGenerationMatch: '1' },
			headers: { 'Content-Type': 'application/octet-stream' },
		},
		task,
	)
	if (response.status >= 300) {
		const refusal = await client.connections.refusal(response, task)
		// Who may not write at all will hear so from the first put.
		if (refusal.status === 412 || refusal.status === 403 || isAbsentObject(refusal)) return true
		throw refusalError(refusal, task.doing)
	}
	await client.connections.text(response, task)
	await client.remove(objectPath(bucket, name), task).catch((error: unknown) => {
		if (!(error instanceof BackupError)) throw error
	})
	return { lacking: `${endpoint} ignores ifGenerationMatch` }
}
