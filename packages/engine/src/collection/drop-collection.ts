import type { Repository } from '@ydbackup/catalog'
import { BackupError, type CollectionAdmin } from '@ydbackup/core'

import { allShipped } from './shipped-links.ts'

export interface DropCollectionOptions {
	readonly admin: CollectionAdmin
	readonly name: string
	/** Where links may be safe. */
	readonly repository?: Repository | undefined
	/** Drop it although links would be lost that are in no repository. */
	readonly withLinks?: boolean | undefined
	readonly dryRun?: boolean | undefined
	readonly signal?: AbortSignal | undefined
}

export interface DropCollectionResult {
	readonly collection: string
	readonly database: string
	readonly dryRun: boolean
	/** Links that went with it. */
	readonly links: readonly { readonly link: string; readonly backup?: string | undefined }[]
}

/**
 * Drops a collection with all of its links inside the cluster. Errors: `PATH_NOT_FOUND`, `DATABASE_REFUSED`; `CONFIG_INVALID` while a link is in no
 * repository, unless `withLinks`.
 */
export async function dropCollection(options: DropCollectionOptions): Promise<DropCollectionResult> {
	const { admin, repository, signal } = options
	const source = admin.open(options.name)
	const links = await source.links({ signal })
	const shipped = repository && (await allShipped(repository, source, { signal }))
	const result = links.map(({ name }) => ({ link: name, backup: shipped?.get(name)?.id }))
	const lost = result.filter(({ backup }) => backup === undefined)
	if (lost.length > 0 && options.withLinks !== true) {
		const where = repository === undefined ? 'and no repository is given' : 'and not in the repository'
		const names = lost.slice(0, 3).map(({ link }) => link)
		throw new BackupError(
			'CONFIG_INVALID',
			`${source.name} has ${lost.length} links in the cluster ${where}: ${names.join(', ')}${lost.length > 3 ? ', …' : ''}`,
			{ advice: 'ship them first with collection ship, or give --with-links to lose them' },
		)
	}
	if (options.dryRun !== true) {
		await admin.drop(source.name, { signal })
		if ((await admin.names({ signal })).includes(source.name)) {
			throw new BackupError('DATABASE_REFUSED', `${source.name} was dropped and is still there`, {
				retry: 'later',
				advice: 'the server may still be removing it: look again with collection list',
			})
		}
	}
	return { collection: source.name, database: source.database, dryRun: options.dryRun === true, links: result }
}
