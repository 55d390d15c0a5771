import type { StorageDriver } from '@ydbackup/core'
import { conformance } from '@ydbackup/driver-conformance/vitest'
import driver from '@ydbackup/storage-s3/driver'
import { afterAll } from 'vitest'
import { startS3Server } from '../src/s3/server.ts'
import { environmentOf, locationOn } from './s3-stores.ts'

const server = await startS3Server({ buckets: [{ name: 'kit', lock: true }] })
afterAll(() => server[Symbol.asyncDispose]())
const location = locationOn(server, { bucket: 'kit', prefix: 'of/claims', query: 'partMiB=5' })
// The process that is killed has the environment of this one.
Object.assign(process.env, environmentOf(server))

const open = (environment: Record<string, string>, writable = true): ReturnType<StorageDriver['open']> =>
	driver.open(location, { environment, writable })

conformance('s3', {
	open: () => open(environmentOf(server)),
	level: 'quick',
	plan: { largeBytes: (11 << 20) + 1, holdMs: 2500, speedMs: 300 },
	secrets: [server.credential.secretAccessKey],
	openRefused: () => open({ ...environmentOf(server), AWS_ACCESS_KEY_ID: 'AKIDOFNOBODY' }),
	process: { driver: import.meta.resolve('@ydbackup/storage-s3/driver'), location: location.href },
})
