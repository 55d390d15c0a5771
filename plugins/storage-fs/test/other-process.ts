import { setInterval } from 'node:timers'
import { pathToFileURL } from 'node:url'
import { isBackupError, type Storage } from '@ydbackup/core'

import driver from '../src/index.ts'

/** One operation on a store, as another process does it. Its answer is one JSON document. */
const OPERATIONS: Record<string, (storage: Storage, key: string) => Promise<unknown>> = {
	open: async () => undefined,
	openToRead: async () => undefined,
	async put(storage, key) {
		return storage.put(key, Buffer.from(`of ${process.pid}`), { ifAbsent: true })
	},
	/** Says that it has written a part, and never ends. */
	async putForEver(storage, key) {
		return storage.put(key, async function* () {
			yield new Uint8Array(1_000_000)
			process.stdout.write('begun')
			setInterval(() => undefined, 1000)
			await Promise.withResolvers<void>().promise
		})
	},
	stat: (storage, key) => storage.stat(key),
	get: (storage, key) => storage.get(key),
	delete: (storage, key) => storage.delete(key),
	async list(storage, key) {
		const keys: string[] = []
		for await (const info of storage.list(key)) keys.push(info.key)
		return keys
	},
}

const [operation = '', directory = '', key = ''] = process.argv.slice(2)
let answer: unknown
try {
	const writable = operation !== 'openToRead'
	const storage = await driver.open(pathToFileURL(directory), { environment: {}, writable })
	answer = { value: await OPERATIONS[operation]!(storage, key) }
} catch (error) {
	answer = isBackupError(error)
		? { code: error.code, message: error.message, advice: error.advice }
		: { message: String(error) }
}
process.stdout.write(JSON.stringify(answer))
