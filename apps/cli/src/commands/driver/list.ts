import { YdbackupCommand } from '../../command.ts'
import { tableText } from '../../output/table.ts'
import { driverPackages } from '../../repository/open-storage.ts'

export interface ListedDriver {
	readonly scheme: string
	readonly package: string
	readonly version: string
	readonly summary: string
	/** How the package was found: `core` came with ydbackup, `user` and `link` were added. */
	readonly origin: string
	/** Why it cannot be used, when it cannot. */
	readonly problem?: string
}

export default class DriverList extends YdbackupCommand {
	static override summary = 'list the storage drivers that are installed, without loading them'
	static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']

	async run(): Promise<{ drivers: ListedDriver[] }> {
		const { flags } = await this.parse(DriverList)
		const { findDrivers } = await import('@ydbackup/plugin-host')
		const found = findDrivers({ packages: driverPackages(this.config) })
		const drivers = found.map(({ scheme, packageName, version, summary, origin, problem }) => ({
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
				{
					title: 'WHAT',
					cell: ({ summary, problem }) => (problem === undefined ? summary : `cannot be used: ${problem}`),
				},
			]),
		)
		return { drivers }
	}
}
