import { BackupError, type Capabilities, type Lacking, type Storage } from '@ydbackup/core'

const LACKING: Lacking = { lacking: 'the store is opened for reading' }

/** The same store without its writing half: every write is refused before it reaches the store, and so is every capability to write. */
export function readOnly(storage: Storage): Storage {
	const { retention, serverSideCopy } = storage.capabilities
	const capabilities: Capabilities = {
		...storage.capabilities,
		retention: retention === true ? LACKING : retention,
		serverSideCopy: serverSideCopy === true ? LACKING : serverSideCopy,
	}
	const refuse = async (doing: string): Promise<never> => {
		throw new BackupError('STORAGE_PERMISSION', `${storage.location} is opened for reading: cannot ${doing}`, {
			advice: 'open it for writing',
		})
	}
	return {
		location: storage.location,
		capabilities,
		put: (key) => refuse(`write ${key}`),
		get: (key, options) => storage.get(key, options),
		stat: (key, options) => storage.stat(key, options),
		list: (prefix, options) => storage.list(prefix, options),
		...(storage.serverSideTarget && { serverSideTarget: (prefix) => storage.serverSideTarget!(prefix) }),
		delete: (key) => refuse(`delete ${key}`),
		[Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
	}
}
