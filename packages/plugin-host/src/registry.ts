import { BackupError, type OpenContext, type Storage, type StorageDriver } from '@ydbackup/core'
import type { DriverEntry } from './driver-entry.ts'
import { loadDriver } from './load-driver.ts'

/** Packages of ours that serve schemes, for advice. */
const KNOWN: Readonly<Record<string, string>> = {
	file: '@ydbackup/storage-fs',
	s3: '@ydbackup/storage-s3',
	gs: '@ydbackup/storage-gcs',
	az: '@ydbackup/storage-azure',
}

export interface DriverRegistry {
	readonly entries: readonly DriverEntry[]
	/** Loads the one driver for a scheme. Errors: `DRIVER_MISSING`, `DRIVER_INVALID`. */
	driverFor(scheme: string): Promise<StorageDriver>
	/** Opens a location with the driver for its scheme. The store comes as the driver opened it, with no wrapper. */
	openStorage(location: URL, context: OpenContext): Promise<Storage>
}

/** Chooses and loads drivers by scheme. A broken package does no harm until its scheme is used. */
export function createDriverRegistry(entries: readonly DriverEntry[]): DriverRegistry {
	async function driverFor(scheme: string): Promise<StorageDriver> {
		const found = entries.filter((entry) => entry.scheme === scheme)
		const [entry, other] = found
		if (!entry) {
			const usable = entries.filter(({ problem }) => problem === undefined)
			const schemes = [...new Set(usable.map((each) => `${each.scheme}://`))].join(', ')
			const install = Object.hasOwn(KNOWN, scheme) ? `npm install ${KNOWN[scheme]}` : `install a package that serves it`
			throw new BackupError('DRIVER_MISSING', `no installed storage driver serves ${scheme}://`, {
				advice: `${install}; there are drivers for ${schemes || 'no scheme at all'}`,
			})
		}
		if (other)
			throw new BackupError(
				'DRIVER_INVALID',
				`${found.map((each) => `${each.packageName} ${each.version}`).join(' and ')} both serve ${scheme}://`,
				{
					advice: 'uninstall all but one of them',
				},
			)
		return loadDriver(entry)
	}
	return {
		entries,
		driverFor,
		async openStorage(location, context) {
			const driver = await driverFor(location.protocol.slice(0, -1))
			for (const { parameter, secret } of driver.options)
				if (secret && parameter !== undefined && location.searchParams.has(parameter))
					throw new BackupError('CONFIG_INVALID', `the repository URL has the secret parameter ${parameter}`, {
						advice: 'take it out of the URL and give it by the environment: URLs end up in logs',
					})
			return driver.open(location, context)
		},
	}
}
