import type { StorageDriver } from '@ydbackup/core'
import { conformance } from '@ydbackup/driver-conformance/vitest'
import driver from '@ydbackup/storage-gcs/driver'
import { afterAll } from 'vitest'
import { keyFile, startGcsServer } from '../src/gcs/index.ts'
import { ELSEWHERE } from './gcs-room.ts'

const server = await startGcsServer({ buckets: [{ name: 'kit', objectRetention: true }] })
const stranger = await startGcsServer()
const key = server.account()
const [good, refused, reader] = await Promise.all([
	keyFile(key),
	keyFile({ ...stranger.account(), token_uri: server.tokenUri }),
	keyFile(server.account({ permissions: ['storage.objects.get', 'storage.objects.list'] })),
])
afterAll(async () => {
	for (const one of [good, refused, reader, stranger, server]) await one[Symbol.asyncDispose]()
})
const location = `gs://kit/of/claims?endpoint=${server.url}`
// The process that is killed has the environment of this one.
process.env['GOOGLE_APPLICATION_CREDENTIALS'] = good.path

const open = (path: string, writable = true): ReturnType<StorageDriver['open']> =>
	driver.open(new URL(location), { environment: { GOOGLE_APPLICATION_CREDENTIALS: path }, writable })

conformance('gcs', {
	open: () => open(good.path),
	level: 'quick',
	plan: { largeBytes: (17 << 20) + 1, holdMs: 2500, speedMs: 300 },
	secrets: [key.private_key, key.private_key_id],
	openRefused: () => open(refused.path),
	openReadOnly: () => open(reader.path, false),
	process: { driver: import.meta.resolve('@ydbackup/storage-gcs/driver'), location },
})

// Who may do less, and secrets, are not known of an endpoint that is not ours.
if (ELSEWHERE) {
	const there = ELSEWHERE
	conformance('gcs at YDBACKUP_TEST_GCS_URL', {
		open: () => driver.open(new URL(there), { environment: process.env, writable: true }),
		level: 'quick',
		plan: { largeBytes: (17 << 20) + 1, holdMs: 2500, speedMs: 300 },
		process: { driver: import.meta.resolve('@ydbackup/storage-gcs/driver'), location: there },
	})
}
