import { type Capabilities, defineStorageDriver, type StorageDriver, throwIfInterrupted } from '@ydbackup/core'
import { redacted, settingsOf } from './location.ts'
import { options } from './options.ts'

const capabilities: Capabilities = {
	conditionalCreate: true,
	strongList: true,
	orderedList: true,
	rangeRead: true,
	retention: true,
	serverSideCopy: { lacking: 'copies go through this process' },
	maxObjectBytes: 10_000 * 8 * 2 ** 20,
	maxKeyBytes: 512,
	maxConcurrency: 32,
}

/** `s3://bucket/prefix?region=…`: Amazon S3, and every store that speaks its protocol. The SDK is loaded when a store is opened. */
const driver: StorageDriver = defineStorageDriver({
	contract: 1,
	scheme: 's3',
	summary: 'an S3-compatible object store',
	options,
	capabilities,
	examples: ['s3://bucket/prefix?region=eu-central-1', 's3://bucket/prefix?endpoint=https://minio.example.net:9000'],
	redact: redacted,
	async open(location, context) {
		const settings = settingsOf(location, context.environment)
		const shown = redacted(location)
		throwIfInterrupted(context.signal, `opening ${shown}`)
		const { openS3 } = await import('./open.ts')
		return openS3(settings, shown, capabilities, context)
	},
})

export default driver
