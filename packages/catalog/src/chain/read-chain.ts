import { type CallOptions, isBackupError } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'
import type { Repository } from '../repository/repository.ts'
import { brokenChain, checkLink } from './check-chain.ts'

/** Longer chains would be a mistake, or made to keep us busy. 48 links a day for a month are 1,440. */
const MOST_LINKS = 10_000

/**
 * The chain that ends with a backup: the full one first, `id` (or `latest`) last; of a full backup, itself alone. Errors: as
 * `Repository.read`; `CHAIN_BROKEN` when an ancestor is gone (`gap`), cannot be read or is another one than the link was made upon
 * (`parent-damaged`).
 */
export async function readChain(repository: Repository, id: string, options: CallOptions = {}): Promise<Manifest[]> {
	const { manifest } = await repository.read(id, options)
	const chain = [manifest]
	for (let child = manifest; child.parent !== undefined; child = chain[0]!) {
		if (chain.length >= MOST_LINKS)
			throw brokenChain(manifest.id, 'ambiguous', `its chain is longer than ${MOST_LINKS}`)
		const parent = await readParent(repository, child, child.parent.id, options)
		checkLink(parent, child)
		chain.unshift(parent)
	}
	return chain
}

async function readParent(
	repository: Repository,
	child: Manifest,
	parentId: string,
	options: CallOptions,
): Promise<Manifest> {
	try {
		return (await repository.read(parentId, options)).manifest
	} catch (error) {
		if (isBackupError(error, 'BACKUP_NOT_FOUND')) {
			throw brokenChain(child.id, 'gap', `its parent ${parentId} is not in the repository`, error)
		}
		if (isBackupError(error, 'MANIFEST_INVALID') || isBackupError(error, 'MANIFEST_VERSION')) {
			throw brokenChain(child.id, 'parent-damaged', `its parent ${parentId} cannot be read: ${error.message}`, error)
		}
		throw error
	}
}
