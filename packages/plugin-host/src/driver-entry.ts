import { DRIVER_CONTRACT } from '@ydbackup/core'

/** An installed package that may bring drivers, as its finder knows it. Nothing of it is imported to learn this. */
export interface DriverPackage {
	readonly name: string
	/** Its folder. */
	readonly root: string
	readonly version: string
	/** Its package.json. */
	readonly pjson: unknown
	/** Where it was found, for people: `core`, `user`, `link`, … */
	readonly origin?: string
}

/** One driver that a package declares. */
export interface DriverEntry {
	readonly scheme: string
	readonly summary: string
	readonly packageName: string
	readonly version: string
	readonly root: string
	readonly origin: string
	/** Why it cannot be used, when it cannot. */
	readonly problem: string | undefined
}

const SCHEME = /^[a-z][a-z0-9+.-]*$/
const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value)

function problemOf(scheme: string, contract: unknown, about: unknown): string | undefined {
	if (contract !== DRIVER_CONTRACT)
		return `it is written for driver contract ${JSON.stringify(contract)}, and this version of ydbackup has contract ${DRIVER_CONTRACT}`
	if (!SCHEME.test(scheme)) return `${JSON.stringify(scheme)} is no URL scheme`
	if (!isRecord(about) || typeof about['summary'] !== 'string') return 'its package.json gives the driver no summary'
	return undefined
}

/** The drivers that packages declare under `ydbackup` in their package.json, by scheme and package. Packages without that key are passed over. */
export function findDrivers({ packages }: { readonly packages: readonly DriverPackage[] }): DriverEntry[] {
	const entries: DriverEntry[] = []
	for (const { name, root, version, pjson, origin = 'folder' } of packages) {
		const declared = isRecord(pjson) ? pjson['ydbackup'] : undefined
		if (!isRecord(declared)) continue
		const drivers = isRecord(declared['drivers']) ? Object.entries(declared['drivers']) : []
		for (const [scheme, about] of drivers) {
			const problem = problemOf(scheme, declared['contract'], about)
			const summary = isRecord(about) && typeof about['summary'] === 'string' ? about['summary'] : ''
			entries.push({ scheme, summary, packageName: name, version, root, origin, problem })
		}
	}
	return entries.sort((a, b) => (`${a.scheme} ${a.packageName}` < `${b.scheme} ${b.packageName}` ? -1 : 1))
}
