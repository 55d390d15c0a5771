import { mkdir, stat } from 'node:fs/promises'
import { BackupError, type Capabilities, defineStorageDriver, type StorageDriver } from '@ydbackup/core'
import { DirectoryStorage } from './directory-storage.ts'
import { storageError } from './failure.ts'
import { directoryOf } from './location.ts'

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
	redact: (location) => {
		const shown = new URL(location)
		shown.username = ''
		shown.password = ''
		shown.search = ''
		return shown.href
	},
	async open(location, { writable }) {
		const root = directoryOf(location)
		try {
			if (writable) await mkdir(root, { recursive: true, mode: 0o700 })
			const found = await stat(root)
			if (!found.isDirectory()) throw Object.assign(new Error(root), { code: 'ENOTDIR' })
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException
			if (code === 'ENOTDIR' || code === 'EEXIST')
				throw new BackupError('LOCATION_INVALID', `${root} is not a directory`, {
					advice: 'choose a directory, or a path that does not exist yet',
					cause: error,
				})
			if (code !== 'ENOENT' || writable) throw storageError(error, `cannot open the directory ${root}`)
		}
		return new DirectoryStorage(root, `file://${root}`, capabilities)
	},
})

export default driver
