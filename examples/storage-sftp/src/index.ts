import { BackupError, type Capabilities, defineStorageDriver, type StorageDriver } from '@ydbackup/core'
import { orAborted } from '@ydbackup/core/driver-kit'
import { storageError } from './failure.ts'
import { redacted, settingsOf } from './location.ts'
import { options } from './options.ts'
import { findPlace } from './place.ts'
import { probe, UNTRIED } from './probe.ts'
import { Session } from './session.ts'
import { SftpStorage } from './sftp-storage.ts'

const capabilities: Capabilities = {
	conditionalCreate: true,
	strongList: true,
	orderedList: true,
	rangeRead: true,
	retention: { lacking: 'an SFTP server does not hold files until a date' },
	serverSideCopy: { lacking: 'copies go through this process' },
	maxObjectBytes: 2 ** 53 - 1,
	maxKeyBytes: 512,
	maxConcurrency: 16,
}

/** `sftp://host:port/path?user=…`: a directory of an SFTP server; `/~/path` begins at the directory of the login. */
const driver: StorageDriver = defineStorageDriver({
	contract: 1,
	scheme: 'sftp',
	summary: 'a directory of an SFTP server',
	options,
	capabilities,
	examples: ['sftp://backup.example.net/srv/backups?user=ydb', 'sftp://backup.example.net:2222/~/backups?user=ydb'],
	redact: redacted,
	async open(location, { environment, writable, signal }) {
		const settings = settingsOf(location, environment)
		const { shown, path } = settings
		const session = new Session(settings)
		const look = async (): Promise<SftpStorage> => {
			const files = await session.files(signal, `opening ${shown}`)
			const place = await findPlace(files, path, shown)
			const findings = writable
				? await probe(files, place.nearest).catch((error: unknown) => {
						throw storageError(error, `cannot write in ${place.nearest} of ${shown}`)
					})
				: UNTRIED
			const has = { ...capabilities, conditionalCreate: findings.createOnly }
			return new SftpStorage({ session, location: shown, place, findings, capabilities: has })
		}
		try {
			return await orAborted(look(), signal, `opening ${shown}`)
		} catch (error) {
			await session[Symbol.asyncDispose]()
			throw error instanceof BackupError ? error : storageError(error, `cannot open ${shown}`)
		}
	},
})

export default driver
