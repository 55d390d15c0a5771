import { pathToFileURL } from 'node:url'
import { BackupError, type Capabilities, DRIVER_CONTRACT, MAX_KEY_BYTES, type StorageDriver } from '@ydbackup/core'
import type { DriverEntry } from './driver-entry.ts'
import { driverFile } from './resolve.ts'

const YES_OR_LACKING: readonly (keyof Capabilities)[] = [
	'conditionalCreate',
	'strongList',
	'orderedList',
	'rangeRead',
	'retention',
	'serverSideCopy',
]
const NUMBERS: readonly (keyof Capabilities)[] = ['maxObjectBytes', 'maxKeyBytes', 'maxConcurrency']

/** What is wrong with a value that should be a driver, in words; undefined when nothing is. */
export function shapeProblem(value: unknown, scheme: string): string | undefined {
	if (typeof value !== 'object' || value === null)
		return 'its ./driver entry has no default export made with defineStorageDriver'
	const driver = value as Partial<Record<keyof StorageDriver, unknown>>
	if (driver.contract !== DRIVER_CONTRACT)
		return `its driver is written for contract ${JSON.stringify(driver.contract)}, not ${DRIVER_CONTRACT}`
	if (driver.scheme !== scheme)
		return `its driver serves ${JSON.stringify(driver.scheme)}, and its package.json declares ${JSON.stringify(scheme)}`
	for (const name of ['open', 'redact'] as const)
		if (typeof driver[name] !== 'function') return `its driver has no function ${name}`
	for (const name of ['options', 'examples'] as const)
		if (!Array.isArray(driver[name])) return `its driver has no list of ${name}`
	for (const option of driver.options as readonly unknown[])
		if (typeof (option as { summary?: unknown } | null)?.summary !== 'string')
			return 'one of the options of its driver has no summary'
	if (typeof driver.capabilities !== 'object' || driver.capabilities === null)
		return 'its driver declares no capabilities'
	const capabilities = driver.capabilities as Partial<Capabilities>
	for (const name of YES_OR_LACKING) {
		const claim = capabilities[name]
		if (claim !== true && typeof (claim as { lacking?: unknown } | undefined)?.lacking !== 'string')
			return `its capability ${name} is neither true nor { lacking: 'the reason' }`
	}
	for (const name of NUMBERS) {
		const claim = capabilities[name]
		if (typeof claim !== 'number' || !(claim >= 1)) return `its capability ${name} is no number from 1`
	}
	if (capabilities.maxKeyBytes! < MAX_KEY_BYTES)
		return `its capability maxKeyBytes is below ${MAX_KEY_BYTES}, which every store must take`
	return undefined
}

function broken({ packageName, version, scheme }: DriverEntry, why: string, cause?: unknown): BackupError {
	return new BackupError(
		'DRIVER_INVALID',
		`the storage driver for ${scheme}:// of ${packageName} ${version} cannot be used: ${why}`,
		{
			advice: `install another version of it, for example npm install ${packageName}@latest, or ask its author`,
			cause,
		},
	)
}

/** Imports a driver, at the moment it is needed, and checks that it is one. Errors: `DRIVER_INVALID`, naming the package and the mend. */
export async function loadDriver(entry: DriverEntry): Promise<StorageDriver> {
	if (entry.problem !== undefined) throw broken(entry, entry.problem)
	let loaded: unknown
	try {
		loaded = ((await import(pathToFileURL(driverFile(entry)).href)) as { default?: unknown }).default
	} catch (error) {
		throw broken(entry, `it fails while it is loaded: ${error instanceof Error ? error.message : String(error)}`, error)
	}
	const problem = shapeProblem(loaded, entry.scheme)
	if (problem !== undefined) throw broken(entry, problem)
	return loaded as StorageDriver
}
