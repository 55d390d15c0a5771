import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Scratch extends AsyncDisposable {
	readonly path: string
}

/** A directory that is gone when the test ends. */
export async function scratch(): Promise<Scratch> {
	const path = await mkdtemp(join(tmpdir(), 'ydbackup-test-'))
	return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
