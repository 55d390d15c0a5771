import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import type { DriverPackage } from '@ydbackup/plugin-host'

type Pjson = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Pjson =>
	typeof value === 'object' && value !== null && !Array.isArray(value)

function readJson(file: string): Pjson | undefined {
	try {
		const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
		return isRecord(value) ? value : undefined
	} catch {
		return undefined
	}
}

/** Names of the packages that a package.json depends on; none when it cannot be read. */
export function dependenciesOf(directory: string): string[] {
	const { dependencies } = readJson(join(directory, 'package.json')) ?? {}
	return isRecord(dependencies) ? Object.keys(dependencies) : []
}

/**
 * The packages that a directory's package.json depends on, as they are installed there. One that is not whole (an install that was cut
 * off, a package.json that is no JSON) is left out here: {@link brokenPackages} names it.
 */
export function packagesIn(directory: string, origin: string): DriverPackage[] {
	return dependenciesOf(directory).flatMap((name) => {
		const root = join(directory, 'node_modules', name)
		const pjson = readJson(join(root, 'package.json'))
		if (pjson === undefined) return []
		const version = typeof pjson['version'] === 'string' ? pjson['version'] : '?'
		return [{ name, root, version, pjson, origin }]
	})
}

/** Packages that a directory depends on and that are not there, or cannot be read. */
export function brokenPackages(directory: string): string[] {
	return dependenciesOf(directory).filter(
		(name) => readJson(join(directory, 'node_modules', name, 'package.json')) === undefined,
	)
}

/**
 * The project that ydbackup itself is installed in, as a dependency of it: drivers beside it there are found too. Undefined for a global
 * install without a package.json and for a checkout of the source.
 */
export function projectOf(cliRoot: string): string | undefined {
	const at = cliRoot.lastIndexOf(`${sep}node_modules${sep}`)
	if (at < 0) return undefined
	const project = dirname(cliRoot.slice(0, at + `${sep}node_modules`.length))
	try {
		return readdirSync(project).includes('package.json') ? project : undefined
	} catch {
		return undefined
	}
}
