import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Storage } from '@ydbackup/core'
import { type OpenStorageOptions, openStorage } from '../repository/open-storage.ts'
import { openLocalFiles } from './local-files.ts'

export interface OpenedForeign extends AsyncDisposable {
	readonly storage: Storage
	/** The last name of the location: what a single object at the place itself is called. */
	readonly name: string
}

/** Opens what `--from` names, a directory or any URL that a driver serves, for reading. Errors: those of the driver. */
export async function openForeign(
	from: string,
	options: Omit<OpenStorageOptions, 'repo' | 'writable'>,
): Promise<OpenedForeign> {
	const { locationToUrl } = await import('@ydbackup/plugin-host')
	const url = locationToUrl(from)
	const isLocal = url.protocol === 'file:'
	const storage = isLocal
		? await openLocalFiles(fileURLToPath(url))
		: await openStorage({ ...options, repo: from, writable: false })
	return {
		storage,
		name: isLocal ? basename(resolve(fileURLToPath(url))) : lastName(url),
		[Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
	}
}

function lastName({ pathname, hostname }: URL): string {
	const name = pathname.split('/').findLast((one) => one !== '') ?? hostname
	try {
		return decodeURIComponent(name)
	} catch {
		return name
	}
}
