import type { VerifyReport } from '@ydbackup/engine'
import { openRepository } from '../repository/open-repository.ts'
import type { OpenStorageOptions } from '../repository/open-storage.ts'

const LIMIT_MS = 60_000

/**
 * Notes in the repository that a backup was read and is right. The verification is done when this is called: a repository that may not
 * be written changes nothing about it, and is passed over.
 */
export async function noteProof(
	options: Pick<OpenStorageOptions, 'config' | 'repo'>,
	{ id, proven }: VerifyReport,
	tool: { readonly name: string; readonly version: string },
): Promise<void> {
	if (proven === undefined) return
	const signal = AbortSignal.timeout(LIMIT_MS)
	try {
		const { putProof } = await import('@ydbackup/catalog')
		await using opened = await openRepository({ ...options, writable: true, signal })
		const { storage } = opened.repository
		await putProof(storage, { backup: id, at: new Date().toISOString(), tool, ...proven }, { signal })
	} catch {
		// Rights to read alone are a good way to verify.
	}
}
