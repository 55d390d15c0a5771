import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServiceAccountKey } from './oauth.ts'

/** Puts a service account's key into a file of its own, which is removed at the end. */
export async function keyFile(key: ServiceAccountKey): Promise<AsyncDisposable & { readonly path: string }> {
	const directory = await mkdtemp(join(tmpdir(), 'gcs-key-'))
	const path = join(directory, 'key.json')
	await writeFile(path, JSON.stringify(key), { mode: 0o600 })
	return {
		path,
		async [Symbol.asyncDispose]() {
			await rm(directory, { recursive: true, force: true })
		},
	}
}
