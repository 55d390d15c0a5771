import type { Capabilities } from './capabilities.ts'
import type { CallOptions, Storage } from './storage.ts'

/** The number of the contract in this package. It changes when a driver that kept the old one could lose data with the new one. */
export const DRIVER_CONTRACT = 1

/** An option of a driver: a query parameter of the repository URL, or (always for secrets) an environment variable. */
export interface DriverOption {
	/** Name of the query parameter, for example `region`; absent when it may not stand in a URL. */
	readonly parameter?: string
	/** Names of the environment variables that give it, the first that is set wins. */
	readonly environment?: readonly string[]
	/** Lower-case fragment. */
	readonly summary: string
	/** Never shown, never in a URL. */
	readonly secret?: boolean
}

/** What the host of a driver gives it. A driver reads nothing else of its surroundings, except what its SDK does for credentials. */
export interface OpenContext extends CallOptions {
	/** Environment variables. */
	readonly environment: Readonly<Record<string, string | undefined>>
	/** False when the command is only going to read: no probe may write then. */
	readonly writable: boolean
}

/**
 * A storage driver: the default export of a driver package's `./driver` entry, made with {@link defineStorageDriver}.
 *
 * The package declares it in data, so that listing drivers imports no SDK:
 * `"ydbackup": { "contract": 1, "drivers": { "<scheme>": { "summary": "…" } } }` in its package.json.
 */
export interface StorageDriver {
	readonly contract: typeof DRIVER_CONTRACT
	/** The URL scheme without colon, for example `s3`. */
	readonly scheme: string
	readonly summary: string
	readonly options: readonly DriverOption[]
	/** Claimed; see {@link Capabilities}. */
	readonly capabilities: Capabilities
	/** Examples of locations, for help and errors. */
	readonly examples: readonly string[]
	/** The location for people: without anything secret, even in a URL that should not have had it. Never throws. */
	redact(location: URL): string
	/**
	 * Opens the store at a location. Checks the location and options first (`LOCATION_INVALID`, naming the nearest known
	 * parameter) and then that the store can be reached (`STORAGE_*`). Creates nothing but what a probe removes again.
	 */
	open(location: URL, context: OpenContext): Promise<Storage>
}

/** Marks a value as a driver and freezes it. It checks nothing: the plug-in host does, with errors that name the package. */
export function defineStorageDriver(driver: StorageDriver): StorageDriver {
	return Object.freeze(driver)
}
