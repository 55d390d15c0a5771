import type { Repository } from '@ydbackup/catalog'
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
