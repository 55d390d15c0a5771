import type { KeyUse } from '@ydbackup/catalog'

import { openRepository } from '../repository/open-repository.ts'
import type { OpenStorageOptions } from '../repository/open-storage.ts'

const LIMIT_MS = 30_000

/**
 * Notes in the repository that keys opened a backup, for `repo show`. The work is done when this is called: a repository that may not be
 * written, or a store that is slow, changes nothing about it, and is passed over.
 */
export async function noteKeys(
	options: Pick<OpenStorageOptions, 'config' | 'repo'>,
	keyIds: readonly string[],
	use: Pick<KeyUse, 'backup' | 'by'>,
): Promise<void> {
	if (keyIds.length === 0) return
	const signal = AbortSignal.timeout(LIMIT_MS)
	try {
		await using opened = await openRepository({ ...options, writable: true, signal })
		for (const keyId of keyIds) {
			await opened.repository.noteKeyUse({ keyId, at: new Date().toISOString(), ...use }, { signal })
		}
	} catch {
		// Rights to read alone are a good way to restore.
	}
}
