import type { StorageDriver } from '@ydbackup/core'

/** A process that puts most of an object and then waits: it is made to be killed. */
const [, , module = '', location = '', key = '', bytes = '0'] = process.argv
const size = Number(bytes)
const { default: driver } = (await import(module)) as { default: StorageDriver }
const storage = await driver.open(new URL(location), { environment: process.env, writable: true })
await storage.put(key, async function* () {
	for (let at = 0; at < size; at += 300_000) yield new Uint8Array(300_000).fill(at % 251)
	process.stdout.write('half\n')
	// Whoever is to kill it may be dead itself.
	await new Promise((resolve) => setTimeout(resolve, 60_000))
	throw new Error('nobody killed this process')
})
