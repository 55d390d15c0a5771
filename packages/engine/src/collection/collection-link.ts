import {
	BackupError,
	type CallOptions,
	type CollectionLink,
	type CollectionSource,
	type LiveObject,
	type ProtoText,
	type Snapshot,
	type SnapshotTable,
} from '@ydbackup/core'
import { printProtoText, type StoredLink } from '@ydbackup/format'

import { shownNames } from '../events/shown-names.ts'
import type { LinkSnapshot } from '../chain/link-snapshot.ts'
import { SUSPECT } from '../chain/open-chain.ts'
import { runAll } from '../flow/run-all.ts'
import { columnsAtLink, type ParentTable, schemeAtLink } from './link-scheme.ts'
import { type ChangeWatch, watchChanges } from './watch-changes.ts'

/** A link's directory as a snapshot: its tables are frozen already, so nothing is copied and nothing is dropped. */
export function directorySnapshot(
	source: CollectionSource,
	link: CollectionLink,
	tables: readonly SnapshotTable[],
): Snapshot {
	return {
		workDirectory: '',
		after: link.after,
		before: link.before,
		clock: link.clock,
		tables,
		read: (table, range, options) => source.read(link, table, range, options),
		countRows: (table, options) => source.countRows(link, table, options),
		drop: () => Promise.resolve(),
		leave: () => Promise.resolve(),
	}
}

/**
 * The directory of an increment as changes since the link before. Errors: those of `schemeAtLink` and `watchChanges` at once; of
 * `columnsAtLink` when all has been read.
 */
export function changeSnapshot(
	snapshot: Snapshot,
	parents: ReadonlyMap<string, ParentTable>,
	live: ReadonlyMap<string, LiveObject>,
	indexChanges: ReadonlySet<string>,
): LinkSnapshot {
	const tables = new Map(
		snapshot.tables.flatMap((table) => (indexChanges.has(table.path) ? [] : [[table.path, openTable(table)] as const])),
	)

	function openTable({ path, schema }: SnapshotTable): {
		readonly parent: ParentTable
		readonly scheme: ProtoText
		readonly watch: ChangeWatch
	} {
		const parent = parents.get(path)
		if (parent === undefined) throw new BackupError('INTERNAL', `${path} was checked and is not in the link before`)
		const scheme = schemeAtLink(path, schema, parent, live.get(path)?.table?.scheme)
		return { parent, scheme, watch: watchChanges(path, schema) }
	}

	return {
		...snapshot,
		read(table, range, options) {
			const rows = snapshot.read(table, range, options)
			return tables.get(table.path)?.watch.watch(range, rows) ?? rows
		},
		stateOf: () => undefined,
		indexChanges,
		linkOf(path): StoredLink | undefined {
			const table = tables.get(path)
			if (table === undefined) return undefined
			const { parent, scheme, watch } = table
			const { schema } = snapshot.tables.find((table) => table.path === path)!
			const columns = columnsAtLink(path, schema, parent, watch.columns())
			return {
				scheme: printProtoText(scheme, { unknownFields: 'keep' }),
				isNew: false,
				columns: Object.fromEntries(Array.from(columns, ([id, name]) => [String(id), name])),
			}
		},
		doubts: () =>
			[...tables].flatMap(([path, { watch }]) => {
				const values = watch.suspects()
				if (values === 0) return []
				const reason = `${values} values are marked as unchanged and are there all the same: a change was lost inside the database`
				return [{ path, kind: SUSPECT, reason }]
			}),
	}
}

/** The members of a link against those of the link before. Errors: `CHAIN_BROKEN` (`gap`, `members-changed`). */
export function checkMembers(link: CollectionLink, found: Iterable<string>, before: Iterable<string>): void {
	const now = new Set(found)
	const old = new Set(before)
	const refuse = (reason: 'gap' | 'members-changed', what: string, paths: readonly string[]): never => {
		throw new BackupError('CHAIN_BROKEN', `${link.name} ${what}: ${shownNames(paths, 10)}`, {
			reason,
			advice: 'take a full backup of the collection; RESTORE inside the cluster would not notice',
		})
	}
	const missing = [...old].filter((path) => !now.has(path))
	if (missing.length > 0) refuse('gap', 'has no change table for', missing)
	const joined = [...now].filter((path) => !old.has(path))
	if (joined.length > 0) refuse('members-changed', 'has changes of tables that the link before does not have', joined)
}

const AT_ONCE = 16

/** Everything that stands now at the paths of tables and of the directories above them. */
export async function readLive(
	source: CollectionSource,
	paths: readonly string[],
	options: CallOptions,
): Promise<Map<string, LiveObject>> {
	const live = new Map<string, LiveObject>()
	await runAll(paths, AT_ONCE, options.signal, async (path, signal) => {
		const found = await source.live(path, { signal })
		if (found !== undefined) live.set(path, found)
	})
	return live
}
