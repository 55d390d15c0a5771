import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const CLI = fileURLToPath(new URL('../../apps/cli/', import.meta.url))
/** Found and loaded at run time; and what starts processes of its own files. */
const OUTSIDE = [/^@ydbackup\/storage-/u, /^@ydbackup\/driver-conformance/u]
const PACKAGE = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//u
const RULE = '-'.repeat(80)

/**
 * Writes the command line and all that it is made of, as few files, from source. A start takes half of its time to find and link
 * eight hundred modules; of the bundle it loads about ten. Drivers stay outside.
 */
export async function bundleCli(directory: string): Promise<void> {
	const build = await rolldown({
		input: { main: join(CLI, 'src/main.ts') },
		platform: 'node',
		external: OUTSIDE,
		resolve: { conditionNames: ['@ydbackup/source', 'node', 'import', 'default'] },
		logLevel: 'warn',
		// Of grpc-js and oclif, which look at what they may load.
		checks: { eval: false },
	})
	try {
		const { output } = await build.write({ dir: directory, format: 'esm', chunkFileNames: '[name]-[hash].js' })
		const modules = output.flatMap((each) => (each.type === 'chunk' ? each.moduleIds : []))
		await writeFile(join(directory, 'LICENSES.txt'), await licences(modules))
		await dropOthers(directory, new Set(output.map(({ fileName }) => fileName)))
	} finally {
		await build.close()
	}
}

/** The licence of every package that is in the bundle. */
async function licences(modules: readonly string[]): Promise<string> {
	const places = new Map<string, string>()
	for (const id of modules) {
		const [, place, name] = PACKAGE.exec(id) ?? []
		if (place !== undefined && name !== undefined) places.set(place, name)
	}
	const texts: string[] = []
	for (const [place, name] of [...places].toSorted(([, a], [, b]) => (a < b ? -1 : 1))) {
		const { version, license } = JSON.parse(await readFile(join(place, 'package.json'), 'utf8')) as {
			version: string
			license?: string
		}
		const file = (await readdir(place)).find((each) => /^licen[cs]e/iu.test(each))
		const text = file === undefined ? 'The package holds no text of it.' : await readFile(join(place, file), 'utf8')
		texts.push(`${name} ${version}, ${license ?? 'see below'}\n\n${text.trim()}\n`)
	}
	return texts.join(`\n${RULE}\n\n`)
}

/** What an earlier bundle has left. */
async function dropOthers(directory: string, names: ReadonlySet<string>): Promise<void> {
	for (const name of await readdir(directory))
		if (name.endsWith('.js') && !names.has(name)) await rm(join(directory, name))
}
