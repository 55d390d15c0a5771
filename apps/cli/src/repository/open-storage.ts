import type { Config } from '@oclif/core/config'
import { BackupError, type Storage } from '@ydbackup/core'
import type { EngineEvent } from '@ydbackup/engine'
import { driverPackages } from '../drivers/driver-packages.ts'

export interface OpenStorageOptions {
	readonly config: Config
	/** A path or URL. */
	readonly repo: string | undefined
	/** False: nothing is written, not even by a probe. */
	readonly writable: boolean
	readonly signal: AbortSignal
	readonly onEvent?: (event: EngineEvent) => void
}

/** Opens the store that the location names, by its driver, with failed calls made again. */
export async function openStorage(options: OpenStorageOptions): Promise<Storage> {
	const { config, repo, writable, signal, onEvent } = options
	if (repo === undefined || repo === '')
		throw new BackupError('CONFIG_INVALID', 'no repository is given', {
			advice: 'give --repo with a directory or URL, or set YDBACKUP_REPO',
		})
	const [{ createDriverRegistry, findDrivers, locationToUrl }, { readOnly, retrying }] = await Promise.all([
		import('@ydbackup/plugin-host'),
		import('@ydbackup/storage'),
	])
	const registry = createDriverRegistry(findDrivers({ packages: driverPackages(config) }))
	const url = locationToUrl(repo)
	const opened = await registry.openStorage(url, { environment: process.env, writable, signal })
	const patient = retrying(opened, {
		onRetry: ({ what, reason }) => onEvent?.({ version: 1, type: 'retry', what, reason: String(reason) }),
	})
	return writable ? patient : readOnly(patient)
}
