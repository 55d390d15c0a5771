// Uploads by the bare AWS SDK in a process of its own: node upload-job.ts '<json>'. Prints one line of JSON.
import {
	CompleteMultipartUploadCommand,
	CreateMultipartUploadCommand,
	S3Client,
	UploadPartCommand,
} from '@aws-sdk/client-s3'
import { measure, peakRssMiB } from './measure.ts'
import type { StorePlace } from './store-process.ts'

export interface UploadJob {
	readonly place: StorePlace
	readonly objects: number
	readonly objectBytes: number
	readonly partBytes: number
}

const { place, objects, objectBytes, partBytes } = JSON.parse(process.argv[2]!) as UploadJob
const client = new S3Client({
	endpoint: place.endpoint,
	region: 'us-east-1',
	forcePathStyle: true,
	credentials: { accessKeyId: place.accessKey, secretAccessKey: place.secretKey },
})
const part = Buffer.alloc(partBytes)
for (let at = 0; at < partBytes; at += 4) part.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)
const Bucket = place.bucket

/** Parts one after the other, as a node of YDB sends them. */
async function upload(Key: string, size: number): Promise<void> {
	const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
	const Parts: { PartNumber: number; ETag: string | undefined }[] = []
	for (let from = 0; from < size; from += partBytes) {
		const PartNumber = Parts.length + 1
		const Body = part.subarray(0, Math.min(partBytes, size - from))
		const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
		Parts.push({ PartNumber, ETag })
	}
	await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

// The first call pays for the connection.
await upload('bench/warm', 1)
const cost = await measure(() =>
	Promise.all(Array.from({ length: objects }, (_, at) => upload(`bench/${objectBytes}/${at}`, objectBytes))),
)
client.destroy()
console.log(JSON.stringify({ ...cost, rss: peakRssMiB() }))
