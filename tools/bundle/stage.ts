import { cp, mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleCli } from './bundle.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Lays the command line out as its package does, bundled from source, for tests; returns its binary. */
export async function stageCli(): Promise<string> {
	const stage = join(ROOT, 'node_modules/.cache/ydbackup-cli')
	await mkdir(join(stage, 'bin'), { recursive: true })
	await bundleCli(join(stage, 'bundle'))
	for (const name of ['package.json', 'bin/run.js']) await cp(join(ROOT, 'apps/cli', name), join(stage, name))
	await rm(join(stage, 'dist'), { force: true })
	await symlink(join(ROOT, 'apps/cli/dist'), join(stage, 'dist'))
	return join(stage, 'bin/run.js')
}
