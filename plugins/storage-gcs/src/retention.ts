import { BackupError } from '@ydbackup/core'
import { type Client, objectPath } from './client.ts'
import type { Task } from './http.ts'
import { dateOf } from './upload.ts'

/** Until when the store would refuse to delete an object; undefined where it is not held, or absent. */
export async function holdEnd(client: Client, path: string, task: Task): Promise<Date | undefined> {
	const found = await client.find({ method: 'GET', path, query: { fields: 'retentionExpirationTime' } }, task)
	return dateOf(found?.['retentionExpirationTime'])
}

/** Holds an object for longer. One that is held for long enough is left as it is. */
export async function extendHold(
	client: Client,
	{ bucket, name, key }: { readonly bucket: string; readonly name: string; readonly key: string },
	{ until, mode }: { readonly until: Date; readonly mode: 'Unlocked' | 'Locked' },
	task: Task,
): Promise<void> {
	const path = objectPath(bucket, name)
	const found = await client.find({ method: 'GET', path, query: { fields: 'metageneration,retention' } }, task)
	if (!found) throw new BackupError('STORAGE_NOT_FOUND', `cannot ${task.doing}: there is no object ${key}`)
	const { metageneration, retention } = found
	const old = (retention ?? {}) as { mode?: string; retainUntilTime?: string }
	const held = dateOf(old.retainUntilTime)
	if (held && held >= until && (old.mode === 'Locked' || mode !== 'Locked')) return
	const longest = held && held > until ? held : until
	const wanted = {
		mode: old.mode === 'Locked' ? 'Locked' : mode,
		retainUntilTime: longest.toISOString(),
	}
	const response = await client
		.must(
			{
				method: 'PATCH',
				path,
				query: {
					fields: 'retention',
					// What somebody else set meanwhile is not made shorter.
					...(typeof metageneration === 'string' && { ifMetagenerationMatch: metageneration }),
				},
				headers: { 'Content-Type': 'application/json; charset=UTF-8' },
				body: [Buffer.from(JSON.stringify({ retention: wanted }))],
			},
			task,
		)
		.catch((error: unknown) => {
			if ((error as { code?: unknown }).code !== 'STORAGE_ALREADY_EXISTS') throw error
			throw new BackupError('STORAGE_TRANSIENT', `cannot ${task.doing}: it was changed at the same moment`, {
				retry: 'same',
				advice: 'try again',
				cause: error,
			})
		})
	await client.connections.text(response, task)
}
