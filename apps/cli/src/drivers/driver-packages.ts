import { join } from 'node:path'
import type { Config } from '@oclif/core/config'
import type { DriverPackage } from '@ydbackup/plugin-host'
import { packagesIn, projectOf } from './installed.ts'

/** Where `driver add` installs: a package of its own, in the user's data directory. */
export function driversDirectory(config: Pick<Config, 'dataDir'>): string {
	return join(config.dataDir, 'drivers')
}

/**
 * The packages that may bring drivers: those that came with ydbackup (`core`), those beside it in the project that it is installed in
 * (`project`), and those that `driver add` installed (`user`). A package that is found in two places counts once, in this order.
 */
export function driverPackages(config: Config): DriverPackage[] {
	const own = config
		.getPluginsList()
		.map(({ name, root, version, pjson, type }) => ({ name, root, version, pjson, origin: type }) as DriverPackage)
	const project = projectOf(config.root)
	const found = [
		...own,
		...(project === undefined ? [] : packagesIn(project, 'project')),
		...packagesIn(driversDirectory(config), 'user'),
	]
	const seen = new Set<string>()
	return found.filter(({ name }) => !seen.has(name) && seen.add(name))
}
