import { isBackupError, type Storage } from '@ydbackup/core'
import { keysOf, read } from './bytes.ts'
import { described } from './expect.ts'

export type Right = 'put' | 'get' | 'stat' | 'list' | 'delete'

/** The calls that the store refuses to these credentials, with its words. */
export type Denied = Readonly<Partial<Record<Right, string>>>

const KEY = 'object'

/** Tries each call once on one small object. Only `STORAGE_PERMISSION` counts: any other failure is for the claims to find. */
export async function probeRights(store: Storage): Promise<Denied> {
	const denied: Partial<Record<Right, string>> = {}
	const calls: readonly (readonly [Right, () => Promise<unknown>])[] = [
		['put', () => store.put(KEY, Buffer.from('rights'))],
		['get', () => read(store, KEY, 6)],
		['stat', () => store.stat(KEY)],
		['list', () => keysOf(store)],
		['delete', () => store.delete(KEY)],
	]
	for (const [right, call] of calls)
		await call().catch((error: unknown) => {
			if (isBackupError(error, 'STORAGE_PERMISSION')) denied[right] = described(error)
		})
	return denied
}

/** Why no claim is tried: nothing could be written, or nothing removed that was. */
export function hindrance(denied: Denied): string | undefined {
	if (denied.put !== undefined) return 'the credentials may not put'
	if (denied.delete !== undefined) return 'the credentials may not delete, and what a claim writes would stay'
	return undefined
}

export const deniedText = (denied: Denied): string | undefined => {
	const rights = Object.keys(denied)
	return rights.length === 0 ? undefined : `the credentials may not ${rights.join(', ')}`
}
