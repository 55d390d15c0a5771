import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { BackupError } from '@ydbackup/core'
import { onTestFinished } from 'vitest'

import { createDriverRegistry, type DriverPackage, type DriverRegistry, findDrivers } from '../src/index.ts'

/** A driver as an outsider may write it, in JavaScript and without our packages. */
export const driverSource = (scheme: string, change = ''): string => `
const driver = {
	contract: 1,
	scheme: ${JSON.stringify(scheme)},
	summary: 'a test',
	options: [
		{ parameter: 'region', summary: 'where' },
		{ parameter: 'pin', environment: ['ACME_PIN'], summary: 'opens the door', secret: true },
	],
	examples: [],
	capabilities: {
		conditionalCreate: true,
		strongList: true,
		orderedList: true,
		rangeRead: { lacking: 'tapes wind' },
		retention: { lacking: 'nobody asked' },
		serverSideCopy: { lacking: 'nobody asked' },
		maxObjectBytes: 2 ** 40,
		maxKeyBytes: 512,
		maxConcurrency: 4,
	},
	redact: (location) => location.protocol,
	open: async (location, context) => ({ opened: location.href, writable: context.writable }),
}
${change}
export default driver
`

export const declared = (scheme: string, contract: unknown = 1): unknown => ({
	contract,
	drivers: { [scheme]: { summary: `a store for ${scheme}` } },
})

export interface PackageFiles {
	/** Of `package.json`; name, version, type and an `exports` for `./driver` are there anyhow. */
	readonly pjson?: Record<string, unknown>
	readonly files?: Record<string, string>
}

/** An application with dependencies in a real `node_modules`, gone after the test; and its packages, as their finder hands them over. */
export async function install(dependencies: Record<string, PackageFiles>): Promise<DriverPackage[]> {
	const directory = await realpath(await mkdtemp(join(tmpdir(), 'plugin-host-')))
	onTestFinished(() => rm(directory, { recursive: true, force: true }))
	const names = Object.keys(dependencies)
	const application = { name: 'application', dependencies: Object.fromEntries(names.map((name) => [name, '*'])) }
	await write(join(directory, 'package.json'), JSON.stringify(application))
	for (const [name, { pjson, files }] of Object.entries(dependencies)) {
		const root = join(directory, 'node_modules', name)
		const defaults = { name, version: '1.2.3', type: 'module', exports: { './driver': './driver.js' } }
		await write(join(root, 'package.json'), JSON.stringify({ ...defaults, ...pjson }))
		for (const [path, text] of Object.entries(files ?? {})) await write(join(root, path), text)
	}
	return Promise.all(
		Object.keys(application.dependencies).map(async (name) => {
			const root = join(directory, 'node_modules', name)
			const pjson = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
			return { name, root, version: pjson.version, pjson, origin: 'core' }
		}),
	)
}

async function write(path: string, text: string): Promise<void> {
	await mkdir(dirname(path), { recursive: true })
	await writeFile(path, text)
}

/** An installed driver for `acme:`, with its source or its package.json changed. */
export const acme = (change = '', pjson: Record<string, unknown> = {}): PackageFiles => ({
	pjson: { ydbackup: declared('acme'), ...pjson },
	files: { 'driver.js': driverSource('acme', change) },
})

export async function registryOf(dependencies: Record<string, PackageFiles>): Promise<DriverRegistry> {
	return createDriverRegistry(findDrivers({ packages: await install(dependencies) }))
}

export async function errorOf(work: Promise<unknown>): Promise<BackupError> {
	const error: unknown = await work.then(
		(value) => new Error(`it succeeded: ${JSON.stringify(value)}`),
		(thrown: unknown) => thrown,
	)
	if (error instanceof BackupError) return error
	throw error
}
