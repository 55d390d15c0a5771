import type { Driver } from '@ydbjs/core'
import { type CallOptions, type CollectionAdmin, type CollectionSource, isBackupError } from '@ydbackup/core'
import { SCHEME_QUERY_ISSUES } from '../call/failure.ts'
import { queryOnce } from '../call/query.ts'
import { listDirectory } from '../snapshot/copies.ts'
import { COLLECTIONS } from './collection-source.ts'
import { explained } from './explain.ts'
import { backupStatement, createStatement, dropStatement } from './statements.ts'

/** A full backup is a consistent copy, which answers when it is made. */
const LIMIT_MS = 600_000

export function createCollectionAdmin(
	control: Driver,
	database: string,
	open: (name: string) => CollectionSource,
): CollectionAdmin {
	async function run(text: string, doing: string, { signal }: CallOptions): Promise<void> {
		try {
			await queryOnce(control, text, { doing, signal, limitMs: LIMIT_MS, meanings: SCHEME_QUERY_ISSUES })
		} catch (error) {
			throw isBackupError(error) ? explained(error) : error
		}
	}

	return {
		database,
		open,

		async names(options = {}) {
			const children = (await listDirectory(control, `${database}/${COLLECTIONS}`, options)) ?? []
			return children.map(({ name }) => name).toSorted()
		},

		async create(spec, options = {}) {
			const { name } = open(spec.name)
			await run(createStatement(database, spec), `create the backup collection ${name}`, options)
		},

		async drop(given, options = {}) {
			const { name } = open(given)
			await run(dropStatement(name), `drop the backup collection ${name}`, options)
		},

		async backup(given, kind, options = {}) {
			const { name } = open(given)
			const what = kind === 'full' ? 'a full backup' : 'an increment'
			await run(backupStatement(name, kind), `take ${what} of the collection ${name}`, options)
		},
	}
}
