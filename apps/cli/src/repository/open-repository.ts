import type { Repository } from '@ydbackup/catalog'
import { isBackupError } from '@ydbackup/core'
import { type OpenStorageOptions, openStorage } from './open-storage.ts'

export interface OpenedRepository extends AsyncDisposable {
	readonly repository: Repository
	/** For people and results; without secrets. */
	readonly location: string
}

/** Opens the repository that `--repo` names. Errors: those of the driver, `REPOSITORY_NOT_FOUND`, `REPOSITORY_VERSION`. */
export async function openRepository(options: OpenStorageOptions): Promise<OpenedRepository> {
	const { Repository } = await import('@ydbackup/catalog')
	const storage = await openStorage(options)
	try {
		const repository = await Repository.open(storage, { signal: options.signal })
		return { repository, location: storage.location, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() }
	} catch (error) {
		await storage[Symbol.asyncDispose]()
		throw error
	}
}

/** As {@link openRepository}, for writing where that is allowed, else for reading: what is only used leaves a lease where it can. */
export async function openRepositoryForUse(options: Omit<OpenStorageOptions, 'writable'>): Promise<OpenedRepository> {
	try {
		return await openRepository({ ...options, writable: true })
	} catch (error) {
		if (!isBackupError(error) || error.kind !== 'permission') throw error
		return openRepository({ ...options, writable: false })
	}
}
