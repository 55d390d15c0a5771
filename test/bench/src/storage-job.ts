// One measured transfer in a process of its own: node storage-job.ts '<json>'. Prints one line of JSON.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { StorageDriver } from '@ydbackup/core'
import { measure, peakRssMiB } from './measure.ts'
import { openBare } from './bare-sdk.ts'

export const STORES = ['fs', 's3', 'gcs', 'azure'] as const
export type StoreName = (typeof STORES)[number]

export interface StorageJob {
	readonly store: StoreName
	/** A driver of ours, or the bare SDK (for `fs`: the functions of Node). */
	readonly how: 'driver' | 'sdk'
	readonly what: 'put' | 'get'
	/** A repository URL of the driver. */
	readonly url: string
	readonly objects: number
	readonly objectBytes: number
	readonly inFlight: number
}

/** What both sides are: bytes go in as pieces of 1 MiB that are made again and again, and are counted as they come out. */
export interface Side extends AsyncDisposable {
	put(key: string, size: number, body: () => AsyncIterable<Uint8Array>): Promise<unknown>
	get(key: string): Promise<AsyncIterable<Uint8Array>>
}

const PIECE = 1 << 20
const filling = Buffer.alloc(PIECE)
for (let at = 0; at < PIECE; at += 4) filling.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)

function body(size: number): () => AsyncIterable<Uint8Array> {
	return async function* () {
		for (let at = 0; at < size; at += PIECE) yield filling.subarray(0, Math.min(PIECE, size - at))
	}
}

async function openDriver(store: StoreName, url: string): Promise<Side> {
	const entry = createRequire(import.meta.url).resolve(`@ydbackup/storage-${store}/driver`)
	const { default: driver } = (await import(pathToFileURL(entry).href)) as { default: StorageDriver }
	const storage = await driver.open(new URL(url), { environment: process.env, writable: true })
	return {
		put: (key, size, open) => storage.put(key, open, { size }),
		get: async (key) => (await storage.get(key)).bytes,
		[Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
	}
}

const job = JSON.parse(process.argv[2]!) as StorageJob
await using side = await (job.how === 'driver' ? openDriver(job.store, job.url) : openBare(job.store, job.url))
const keys = Array.from({ length: job.objects }, (_, at) => `bench/${job.objectBytes}/${at}`)
let bytes = 0

async function one(key: string): Promise<void> {
	if (job.what === 'put') {
		await side.put(key, job.objectBytes, body(job.objectBytes))
		bytes += job.objectBytes
	} else for await (const piece of await side.get(key)) bytes += piece.length
}

// The first call pays for connections and lazy imports on either side.
await side.put('bench/warm', 5, body(5))
const cost = await measure(async () => {
	const left = [...keys]
	await Promise.all(
		Array.from({ length: job.inFlight }, async () => {
			for (let key = left.shift(); key !== undefined; key = left.shift()) await one(key)
		}),
	)
})
if (bytes !== job.objects * job.objectBytes)
	throw new Error(`${bytes} bytes were moved instead of ${job.objects * job.objectBytes}`)
console.log(JSON.stringify({ ...cost, rss: peakRssMiB() }))
