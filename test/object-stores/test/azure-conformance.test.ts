import type { StorageDriver } from '@ydbackup/core'
import { conformance } from '@ydbackup/driver-conformance/vitest'
import driver from '@ydbackup/storage-azure/driver'
import { afterAll } from 'vitest'
import { ACCOUNT, KEY, startAzurite } from '../src/azure/index.ts'

const azurite = await startAzurite()
await azurite.createContainer('kit')
afterAll(() => azurite[Symbol.asyncDispose]())
const location = `az://kit/of/claims?endpoint=${azurite.url}`
// The process that is killed has the environment of this one.
Object.assign(process.env, azurite.environment)

const open = (environment: Readonly<Record<string, string>>, writable = true): ReturnType<StorageDriver['open']> =>
	driver.open(new URL(location), { environment, writable })

conformance('azure', {
	open: () => open(azurite.environment),
	level: 'quick',
	// Azurite slows down with each blob.
	plan: { listed: [0, 1, 250], largeBytes: (9 << 20) + 1, speedMs: 300 },
	secrets: [KEY],
	openRefused: () =>
		open({ AZURE_STORAGE_ACCOUNT: ACCOUNT, AZURE_STORAGE_KEY: Buffer.from('another key').toString('base64') }),
	openReadOnly: () =>
		open({ AZURE_STORAGE_ACCOUNT: ACCOUNT, AZURE_STORAGE_SAS_TOKEN: azurite.signature('kit', 'rl') }, false),
	process: { driver: import.meta.resolve('@ydbackup/storage-azure/driver'), location },
})
