// A backup by the cluster, measured in a process of its own: node cluster-job.ts '<json>'. Prints one line of JSON.
import { Repository } from '@ydbackup/catalog'
import { clusterBackup, openServerSide } from '@ydbackup/engine'
import s3 from '@ydbackup/storage-s3/driver'
import { connect } from '@ydbackup/ydb'
import { measure, peakRssMiB } from './measure.ts'
import type { StorePlace } from './store-process.ts'

export interface ClusterJob {
	readonly place: StorePlace
	readonly endpoint: string
	readonly database: string
}

const { place, endpoint, database } = JSON.parse(process.argv[2]!) as ClusterJob
const storage = await s3.open(new URL(`s3://${place.bucket}/cluster?endpoint=${encodeURIComponent(place.endpoint)}`), {
	writable: true,
	environment: { AWS_ACCESS_KEY_ID: place.accessKey, AWS_SECRET_ACCESS_KEY: place.secretKey },
})
const repository = await Repository.init(storage)
await using ydb = await connect({ endpoint, database, credentials: { kind: 'anonymous' } })
const { source, sink, transfers } = ydb
let storedBytes = 0
const cost = await measure(async () => {
	const result = await clusterBackup({
		source,
		sink,
		transfers,
		repository,
		openStore: () => openServerSide(storage),
		isBridged: false,
		isSecure: false,
		compression: 'none',
		tool: { name: 'bench', version: '0' },
	})
	storedBytes = result.storedBytes
})
console.log(JSON.stringify({ ...cost, storedBytes, rss: peakRssMiB() }))
