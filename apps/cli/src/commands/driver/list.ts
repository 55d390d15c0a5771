import { YdbackupCommand } from '../../command.ts'
import { brokenPackages } from '../../drivers/installed.ts'
import { tableText } from '../../output/table.ts'
import { driverPackages, driversDirectory } from '../../drivers/driver-packages.ts'

export interface ListedDriver {
	readonly scheme: string
	readonly package: string
	readonly version: string
	readonly summary: string
	/** Where the package was found: `core` came with ydbackup, `project` stands beside it, `user` was added. */
	readonly origin: string
	/** Why it cannot be used, when it cannot. */
	readonly problem?: string
}

/** Origins in words. */
const FOUND: Readonly<Record<string, string>> = { core: 'built in', project: 'project', user: 'added' }

export default class DriverList extends YdbackupCommand {
	static override summary = 'list the storage drivers that are installed, without loading them'
	static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']

	async run(): Promise<{ drivers: ListedDriver[]; broken: string[] }> {
		const { flags } = await this.parse(DriverList)
		const { findDrivers } = await import('@ydbackup/plugin-host')
		const found = findDrivers({ packages: driverPackages(this.config) })
		const clashes = new Set(
			found.filter((a) => found.some((b) => a !== b && a.scheme === b.scheme)).map((one) => one.scheme),
		)
		const whole = found.map((entry) =>
			clashes.has(entry.scheme) && entry.problem === undefined
				? { ...entry, problem: `another package serves ${entry.scheme}:// too; take one of them out` }
				: entry,
		)
		const drivers = whole.map(({ scheme, packageName, version, summary, origin, problem }) => ({
			scheme,
			package: packageName,
			version,
			summary,
			origin,
			...(problem === undefined ? {} : { problem }),
		}))
		this.show(
			flags,
			tableText(drivers, [
				{ title: 'SCHEME', cell: ({ scheme }) => `${scheme}://` },
				{ title: 'PACKAGE', cell: (driver) => driver.package },
				{ title: 'VERSION', cell: ({ version }) => version },
				{ title: 'FOUND', cell: ({ origin }) => FOUND[origin] ?? origin },
				{ title: 'STATE', cell: ({ problem }) => (problem === undefined ? 'ready' : 'cannot be used') },
				{
					title: 'WHAT',
					cell: ({ summary, problem }) => (problem === undefined ? summary : problem),
				},
			]),
		)
		const directory = driversDirectory(this.config)
		const broken = brokenPackages(directory)
		if (broken.length > 0) {
			this.show(
				flags,
				`\nnot whole in ${directory}: ${broken.join(', ')}; add it again, or remove it with driver remove`,
			)
		}
		return { drivers, broken }
	}
}
