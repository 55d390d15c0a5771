import { type DriverOption, defineStorageDriver, type StorageDriver, throwIfInterrupted } from '@ydbackup/core'
import { AzureStorage } from './azure-storage.ts'
import { accountOf } from './credentials.ts'
import { placeOf, redacted } from './location.ts'
import { CAPABILITIES, probe } from './probe.ts'
import { connectTo } from './service.ts'

const options: readonly DriverOption[] = [
	{ parameter: 'account', environment: ['AZURE_STORAGE_ACCOUNT'], summary: 'name of the storage account' },
	{ parameter: 'endpoint', summary: 'URL of the blob service, where it is not that of the account' },
	{ parameter: 'immutability', summary: 'how objects are held: unlocked or locked' },
	{ parameter: 'tier', summary: 'access tier of new objects: hot, cool or cold' },
	{ parameter: 'timeout', summary: 'seconds to wait for an answer, 30 by default' },
	{
		environment: ['AZURE_STORAGE_CONNECTION_STRING'],
		summary: 'connection string of the account, before all others',
		secret: true,
	},
	{ environment: ['AZURE_STORAGE_KEY'], summary: 'key of the account', secret: true },
	{ environment: ['AZURE_STORAGE_SAS_TOKEN'], summary: 'shared access signature', secret: true },
]

/** `az://container/prefix?account=…`: Azure Blob Storage, or what speaks its protocol at `&endpoint=…`. */
const driver: StorageDriver = defineStorageDriver({
	contract: 1,
	scheme: 'az',
	summary: 'Azure Blob Storage',
	options,
	capabilities: CAPABILITIES,
	examples: ['az://backups/ydb?account=mystorage', 'az://backups?account=mystorage&immutability=unlocked'],
	redact: redacted,
	async open(location, { environment, writable, signal }) {
		const place = placeOf(location)
		const account = accountOf(place, environment)
		throwIfInterrupted(signal, `opening ${place.shown}`)
		const { container, close } = await connectTo(account, place.container)
		const { access, secrets } = account
		const expiresAt = access.kind === 'sas' ? access.expiresAt : undefined
		const context = { place, container, secrets, expiresAt, holds: false }
		try {
			const capabilities = await probe(context, signal, writable)
			return new AzureStorage({ ...context, holds: capabilities.retention === true }, capabilities, close)
		} catch (error) {
			close()
			throw error
		}
	},
})

export default driver
