import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Config } from '@oclif/core/config'
import { BackupError } from '@ydbackup/core'
import type { DriverEntry } from '@ydbackup/plugin-host'
import { driverPackages, driversDirectory } from './driver-packages.ts'
import { dependenciesOf } from './installed.ts'
import { npm } from './npm.ts'

const FILES = ['package.json', 'package-lock.json'] as const

/**
 * Installs a driver package into the user's data directory, pinned to the version that npm finds now, without running its scripts. What is
 * not a driver that works beside the others is taken out again. Errors: `DRIVER_INVALID` naming the package and why.
 */
export async function addDriver(config: Config, spec: string, signal: AbortSignal): Promise<DriverEntry[]> {
	const directory = driversDirectory(config)
	const exact = await installable(spec)
	await mkdir(directory, { recursive: true, mode: 0o700 })
	const before = await remember(directory)
	if (before['package.json'] === undefined) {
		const about = {
			name: 'ydbackup-drivers',
			private: true,
			description: 'storage drivers that were added to ydbackup',
		}
		await writeFile(join(directory, 'package.json'), `${JSON.stringify(about, undefined, '\t')}\n`)
	}
	const known = specsOf(before['package.json'])
	await npm(['install', '--save-exact', '--ignore-scripts', exact], directory, signal)
	try {
		const now = specsOf(await readFile(join(directory, 'package.json'), 'utf8'))
		const name = Object.keys(now).find((each) => now[each] !== known[each]) ?? nameIn(spec, Object.keys(now))
		if (name === undefined) throw new BackupError('DRIVER_INVALID', `npm did not say which package ${spec} is`)
		return await checkDriver(config, name)
	} catch (error) {
		await goBack(directory, before)
		throw error
	}
}

/** Takes a driver package out of the user's data directory. Errors: `DRIVER_MISSING` when it was not added there. */
export async function removeDriver(config: Config, name: string, signal: AbortSignal): Promise<void> {
	const directory = driversDirectory(config)
	const added = dependenciesOf(directory)
	if (!added.includes(name)) {
		const own = config.getPluginsList().some((plugin) => plugin.name === name)
		throw new BackupError('DRIVER_MISSING', `${JSON.stringify(name)} was not added with driver add`, {
			advice: own
				? 'it comes with ydbackup and stays'
				: added.length === 0
					? 'no driver was added'
					: `added were: ${added.join(', ')}`,
		})
	}
	await npm(['uninstall', '--ignore-scripts', name], directory, signal)
}

/** Whether a package that was just installed brings drivers that work; loads them. */
async function checkDriver(config: Config, name: string): Promise<DriverEntry[]> {
	const { createDriverRegistry, findDrivers } = await import('@ydbackup/plugin-host')
	const entries = findDrivers({ packages: driverPackages(config) })
	const own = entries.filter((entry) => entry.packageName === name)
	if (own.length === 0) {
		throw new BackupError('DRIVER_INVALID', `${name} brings no storage driver; it was taken out again`, {
			advice: 'a driver package declares its schemes under "ydbackup" in its package.json',
		})
	}
	const registry = createDriverRegistry(entries)
	for (const { scheme } of own) await registry.driverFor(scheme)
	return own
}

/** A package of the registry as it is; a file or folder with its whole path, because npm runs elsewhere. */
async function installable(spec: string): Promise<string> {
	if (spec.startsWith('-') || spec.trim() === '') {
		throw new BackupError('CONFIG_INVALID', `${JSON.stringify(spec)} is not the name of a package`, {
			advice: 'give a name, name@version, or the path of a .tgz file',
		})
	}
	const path = resolve(spec)
	const isLocal =
		/^[./~]|\.tgz$/.test(spec) &&
		(await stat(path).then(
			() => true,
			() => false,
		))
	return isLocal ? path : spec
}

type Remembered = Partial<Record<(typeof FILES)[number], string>>

async function remember(directory: string): Promise<Remembered> {
	const found = await Promise.all(
		FILES.map(async (name) => [name, await readFile(join(directory, name), 'utf8').catch(() => undefined)] as const),
	)
	return Object.fromEntries(found.filter(([, text]) => text !== undefined))
}

/** Puts the directory back as it was; whatever npm says then, the first error is the one to tell. */
async function goBack(directory: string, before: Remembered): Promise<void> {
	for (const name of FILES) {
		const text = before[name]
		await (text === undefined ? rm(join(directory, name), { force: true }) : writeFile(join(directory, name), text))
	}
	if (before['package.json'] === undefined) await rm(directory, { recursive: true, force: true })
	else await npm(['install', '--ignore-scripts'], directory, AbortSignal.timeout(120_000)).catch(() => {})
}

function specsOf(text: string | undefined): Readonly<Record<string, string>> {
	try {
		return (JSON.parse(text ?? '{}') as { dependencies?: Record<string, string> }).dependencies ?? {}
	} catch {
		return {}
	}
}

/** Installed again in the same version: the name in the spec. */
function nameIn(spec: string, names: readonly string[]): string | undefined {
	return (
		names.find((name) => spec === name || spec.startsWith(`${name}@`)) ?? (names.length === 1 ? names[0] : undefined)
	)
}
