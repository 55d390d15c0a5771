import { type Capabilities, defineStorageDriver, type StorageDriver, throwIfInterrupted } from '@ydbackup/core'
import { DirectoryStorage } from './directory-storage.ts'
import { directoryOf, redacted } from './location.ts'
import { checkRoot } from './root.ts'

const capabilities: Capabilities = {
	conditionalCreate: true,
	strongList: true,
	orderedList: true,
	rangeRead: true,
	retention: { lacking: 'a file system does not hold files until a date' },
	serverSideCopy: { lacking: 'copies go through this process' },
	maxObjectBytes: 2 ** 53 - 1,
	maxKeyBytes: 512,
	maxConcurrency: 16,
}

/** `file:///absolute/path`: a directory on this machine, or on a network file system that is mounted here. */
const driver: StorageDriver = defineStorageDriver({
	contract: 1,
	scheme: 'file',
	summary: 'a directory on this machine',
	options: [],
	capabilities,
	examples: ['file:///srv/backups', '/srv/backups'],
	redact: redacted,
	async open(location, { writable, signal }) {
		const root = directoryOf(location)
		throwIfInterrupted(signal, `opening the directory ${root}`)
		const isThere = await checkRoot(root, writable)
		return new DirectoryStorage({ root, isThere, capabilities })
	},
})

export default driver
