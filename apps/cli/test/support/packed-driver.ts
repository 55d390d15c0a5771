import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'

const run = promisify(execFile)

/** A driver that opens nothing, without any dependency. */
export const driverSource = (scheme: string): string => `export default {
	contract: 1,
	scheme: '${scheme}',
	summary: 'a test',
	options: [],
	examples: [],
	capabilities: {
		conditionalCreate: true, strongList: true, orderedList: true, rangeRead: true,
		retention: { lacking: 'no' }, serverSideCopy: { lacking: 'no' },
		maxObjectBytes: 1000, maxKeyBytes: 512, maxConcurrency: 4,
	},
	redact: ({ href }) => href,
	open: async () => { throw new Error('the driver of ${scheme} was opened') },
}
`

export interface PackedDriver {
	readonly name: string
	readonly version?: string
	readonly scheme?: string
	readonly contract?: number
	readonly source?: string
	/** More of package.json; it replaces what is there. */
	readonly pjson?: Record<string, unknown>
}

export async function scratch(): Promise<string> {
	const directory = await realpath(await mkdtemp(join(tmpdir(), 'ydbackup-drivers-')))
	onTestFinished(() => rm(directory, { recursive: true, force: true }))
	return directory
}

/** Writes a driver package into a directory. */
export async function writeDriver(root: string, driver: PackedDriver): Promise<void> {
	const { name, version = '1.0.0', scheme = 'acme', contract = 1, source = driverSource(scheme), pjson } = driver
	await mkdir(root, { recursive: true })
	const ydbackup = { contract, drivers: { [scheme]: { summary: `the ${scheme} store` } } }
	const exports = { './driver': './driver.js' }
	await writeFile(
		join(root, 'package.json'),
		JSON.stringify({ name, version, type: 'module', exports, ydbackup, ...pjson }),
	)
	await writeFile(join(root, 'driver.js'), source)
}

/** Packs a driver with the real npm, and resolves with the file. */
export async function packDriver(directory: string, driver: PackedDriver): Promise<string> {
	const root = await mkdtemp(join(directory, 'source-'))
	await writeDriver(root, driver)
	const { stdout } = await run('npm', ['pack', '--json', '--offline', '--ignore-scripts'], {
		cwd: root,
		env: { ...process.env, HOME: directory, npm_config_cache: join(directory, 'cache') },
		timeout: 60_000,
	})
	const packed: unknown = JSON.parse(stdout)
	const [about] = (Array.isArray(packed) ? packed : Object.values(packed as object)) as { filename: string }[]
	return join(root, about!.filename)
}
