import { isBackupError, type Storage } from '@ydbackup/core'
import { keysOf, read } from './bytes.ts'
import { demand } from './expect.ts'

/** Whether stat finds the object. That a miss is a value and no error is a claim of its own. */
export async function isThere(store: Storage, key: string): Promise<boolean> {
	try {
		return (await store.stat(key)) !== undefined
	} catch (error) {
		if (isBackupError(error, 'STORAGE_NOT_FOUND')) return false
		throw error
	}
}

/** Demands that the object has no trace, through all three ways of looking. How get fails is a claim of its own. */
export async function absent(store: Storage, key: string, when: string): Promise<void> {
	demand(!(await isThere(store, key)), `stat finds the object ${when}`)
	const length = await read(store, key, 2 ** 40).then(
		(bytes) => bytes.length,
		() => undefined,
	)
	demand(length === undefined, `get reads ${length} bytes of the object ${when}`)
	demand(!(await keysOf(store)).includes(key), `list shows the object ${when}`)
}
