import { open } from 'node:fs/promises'
import { sharing } from './sharing.ts'

/** Makes the names in a directory durable. */
export const syncDirectory: (path: string) => Promise<void> = sharing(async (path) => {
	const handle = await open(path, 'r')
	try {
		await handle.sync()
	} catch (error) {
		// Some network file systems cannot sync a directory; they say so with EINVAL.
		if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
	} finally {
		await handle.close()
	}
})
