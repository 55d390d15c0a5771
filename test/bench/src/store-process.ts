// A store in a process of its own, which tells what it costs: node store-process.ts s3 | node store-process.ts bridge <directory>.
import { pathToFileURL } from 'node:url'
import { openBridge } from '@ydbackup/bridge'
import fs from '@ydbackup/storage-fs/driver'
import { startS3Server } from '../../object-stores/src/s3/server.ts'
import { peakRssMiB } from './measure.ts'

/** Where a client of S3 goes. */
export interface StorePlace {
	readonly endpoint: string
	readonly bucket: string
	readonly accessKey: string
	readonly secretKey: string
}

async function open(kind: string, directory: string): Promise<StorePlace> {
	if (kind === 's3') {
		const { endpoint, credential } = await startS3Server({ buckets: [{ name: 'backups' }] })
		return { endpoint, bucket: 'backups', accessKey: credential.accessKeyId, secretKey: credential.secretAccessKey }
	}
	const storage = await fs.open(pathToFileURL(directory), { writable: true, environment: {} })
	const listen = { host: '127.0.0.1', port: 0 }
	const { place } = await openBridge({ storage, prefixes: ['bench/'], isWritable: true, listen })
	const { bucket, accessKey, secretKey } = place
	return { endpoint: `http://${place.endpoint}`, bucket, accessKey, secretKey }
}

process.on('message', () => process.send!({ rss: peakRssMiB() }))
process.send!(await open(process.argv[2]!, process.argv[3]!))
