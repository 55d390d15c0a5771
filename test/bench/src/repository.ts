import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Repository } from '@ydbackup/catalog'
import type { StorageDriver } from '@ydbackup/core'
import { tuneHeap } from '../../../apps/cli/src/run/heap.ts'

/** A repository in a directory of this machine, and the heap as the command tunes it. The driver is loaded only here: what it takes would count as another job's memory. */
export async function openRepository(directory: string): Promise<Repository> {
	tuneHeap()
	const entry = createRequire(import.meta.url).resolve('@ydbackup/storage-fs/driver')
	const { default: driver } = (await import(pathToFileURL(entry).href)) as { default: StorageDriver }
	const place = pathToFileURL(`${directory}/`)
	return Repository.open(await driver.open(place, { environment: process.env, writable: true }))
}
