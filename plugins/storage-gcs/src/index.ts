import { type Capabilities, defineStorageDriver, type StorageDriver } from '@ydbackup/core'
import { BucketStorage } from './bucket-storage.ts'
import { Client } from './client.ts'
import { Connections } from './http.ts'
import { placeOf, redacted } from './location.ts'
import { probe } from './probe.ts'
import { anonymous, findTokens } from './tokens.ts'

const capabilities: Capabilities = {
	conditionalCreate: true,
	strongList: true,
	orderedList: true,
	rangeRead: true,
	retention: true,
	serverSideCopy: { lacking: 'copies go through this process' },
	maxObjectBytes: 5 * 2 ** 40,
	maxKeyBytes: 512,
	maxConcurrency: 16,
}

/** `gs://bucket/prefix`: Google Cloud Storage, or another service of its JSON API. */
const driver: StorageDriver = defineStorageDriver({
	contract: 1,
	scheme: 'gs',
	summary: 'Google Cloud Storage',
	options: [
		{
			environment: ['GOOGLE_APPLICATION_CREDENTIALS'],
			summary: 'file with the credentials; without it, the default credentials of the machine',
		},
		{ parameter: 'endpoint', summary: 'URL of the service' },
		{ parameter: 'project', summary: 'project that pays for the requests, where the bucket wants one' },
		{ parameter: 'anonymous', summary: 'true for requests without credentials' },
		{ parameter: 'retention', summary: 'how held objects are held: unlocked or locked' },
		{ parameter: 'timeout', summary: 'seconds to wait without a byte moving' },
	],
	capabilities,
	examples: ['gs://backups/ydb', 'gs://backups/ydb?endpoint=http://127.0.0.1:4443&anonymous=true'],
	redact: redacted,
	async open(location, { environment, writable, signal }) {
		const place = placeOf(location)
		const connections = new Connections(environment, place.timeoutMs)
		try {
			const tokens = place.anonymous ? anonymous : await findTokens(environment, connections)
			const client = new Client(place, connections, tokens)
			const task = { doing: `open ${place.shown}`, signal }
			const { isVersioned, ...found } = await probe(client, place, writable, task)
			return new BucketStorage({ client, place, isVersioned, capabilities: { ...capabilities, ...found } })
		} catch (error) {
			connections[Symbol.dispose]()
			throw error
		}
	},
})

export default driver
