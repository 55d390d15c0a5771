import { BackupError, type Storage } from '@ydbackup/core'

/** The same store without its writing half: every write is refused before it reaches the store. */
export function readOnly(storage: Storage): Storage {
	const refuse = async (key: string): Promise<never> => {
		throw new BackupError('STORAGE_PERMISSION', `${storage.location} is opened for reading: ${key} is not written`)
	}
	return {
		location: storage.location,
		capabilities: storage.capabilities,
		put: refuse,
		get: (key, options) => storage.get(key, options),
		stat: (key, options) => storage.stat(key, options),
		list: (prefix, options) => storage.list(prefix, options),
		delete: refuse,
		[Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
	}
}
