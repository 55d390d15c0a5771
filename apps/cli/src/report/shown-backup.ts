import { type BackupEntry, type ChainPlace, workDirectoryOf } from '@ydbackup/catalog'
import { isDefined, isTable, type Manifest } from '@ydbackup/format'
import { printable } from '../output/printable.ts'
import { spellAge, spellBytes, spellCount, spellTime } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'
import { type BackupSummary, encryptionText, labelsText, rowsText, summaryOf } from './backup-summary.ts'
import { notesText } from './created-backup.ts'
import { holdText, type ShownHold } from './held-backup.ts'

export interface ShownTable {
	/** Relative to the database. */
	readonly path: string
	/** The folder of the table in the native layout, below `backups/<id>/`. */
	readonly prefix: string
	/** Of an increment: changes. Absent when the cluster wrote them and nobody has counted yet. */
	readonly rows?: string
	/** Of an increment: the rows of the table at its end. */
	readonly rowsAfter?: string
	readonly partitions: number
	readonly plainBytes?: number
	/** Whether the server has counted the rows too, and came to the same number. */
	readonly countedByServer: boolean
}

/** What is neither table nor directory: it was read live, and belongs to no snapshot. */
export interface ShownObject {
	readonly path: string
	readonly kind: string
	readonly prefix: string
	/** Of its changefeeds or rate limiters. */
	readonly parts: number
	readonly readAt?: string
}

/** A backup of the chain that the shown one is in. */
export interface ShownLink {
	readonly id: string
	/** 0 for the full backup; of the increments, how many stand below. */
	readonly position: number
	readonly snapshotBefore: string
	/** Of an increment: changes. Decimal digits; undefined where nobody has counted them. */
	readonly rows?: string | undefined
	readonly storedBytes: number
}

/** The result of `backup show`. */
export interface ShownBackup extends BackupSummary {
	readonly repository: string
	/** The whole chain, oldest first; empty for a full backup that nothing builds upon, and where a link is missing or damaged. */
	readonly chain: readonly ShownLink[]
	readonly tool: { readonly name: string; readonly version: string }
	readonly serverVersion?: string
	readonly paths: readonly string[]
	/** Number of data files by whose word for them there is: `streamed` through us, or `server-claimed`. */
	readonly provenance: Readonly<Record<string, number>>
	readonly tables: readonly ShownTable[]
	/** Of tables those that have changefeeds. */
	readonly objects: readonly ShownObject[]
	readonly directories: readonly string[]
	/** Absent when nobody keeps it from being deleted. */
	readonly hold?: ShownHold
	/** Where the copy of its row tables was left when it was committed, as an absolute path; whether it is there still is not known. */
	readonly keptCopy?: string
	/** What the backup left out, and why. */
	readonly notes: readonly { readonly path: string; readonly kind: string; readonly reason: string }[]
}

/** The chain of a backup in a listing of its repository. */
export function shownChain(id: string, entries: readonly BackupEntry[], places: readonly ChainPlace[]): ShownLink[] {
	const root = places.find((place) => place.id === id)?.root
	if (root === undefined) return []
	const links = entries.flatMap(({ manifest }, at): ShownLink[] => {
		const place = places[at]
		if (manifest === undefined || place?.root !== root || place.position === undefined) return []
		const { rows, storedBytes } = manifest.counts
		return [{ id: manifest.id, position: place.position, snapshotBefore: manifest.snapshotBefore, rows, storedBytes }]
	})
	return links.length > 1 ? links : []
}

export function shownBackup(
	manifest: Manifest,
	repository: string,
	chain: readonly ShownLink[],
	proven: Date | undefined,
): ShownBackup {
	const tables = manifest.objects.flatMap(
		({ kind, path, prefix = '', rows, partitions = 0, plainBytes, countedByServer, state }) =>
			isTable({ kind })
				? [
						{
							path,
							prefix,
							...(rows !== undefined && { rows }),
							...(state && { rowsAfter: state.rows }),
							partitions,
							...(plainBytes !== undefined && { plainBytes }),
							countedByServer: countedByServer ?? false,
						},
					]
				: [],
	)
	const { serverVersion } = manifest.source
	return {
		...summaryOf(manifest, proven),
		repository,
		chain,
		tool: manifest.tool,
		...(serverVersion === undefined ? {} : { serverVersion }),
		paths: manifest.paths,
		provenance: provenanceOf(manifest),
		tables,
		objects: manifest.objects.flatMap(({ path, kind, prefix = '', parts = 0, readAt }) =>
			isDefined({ kind }) || parts > 0 ? [{ path, kind, prefix, parts, ...(readAt !== undefined && { readAt }) }] : [],
		),
		directories: manifest.objects.filter(({ kind }) => kind === 'directory').map(({ path }) => path),
		...(manifest.keptCopy === true && {
			keptCopy: `${manifest.source.database}/${workDirectoryOf({ id: manifest.repository }, manifest.id)}`,
		}),
		notes: manifest.notes,
	}
}

function provenanceOf({ files }: Manifest): Record<string, number> {
	const found: Record<string, number> = {}
	for (const { role, provenance } of files) if (role === 'data') found[provenance] = (found[provenance] ?? 0) + 1
	return found
}

/** Said only where some are the word of the cluster alone. */
function provenanceText({
	'server-claimed': claimed = 0,
	streamed = 0,
}: ShownBackup['provenance']): string | undefined {
	if (claimed === 0) return undefined
	return `${spellCount(claimed)} as the cluster says it has written them${streamed > 0 ? `, ${spellCount(streamed)} through us` : ''}`
}

export function shownBackupText(shown: ShownBackup, now: Date): string {
	const { counts, directories, notes, objects, tables } = shown
	const readAt = objects.find((object) => object.readAt !== undefined)?.readAt
	const lines = [
		factsText({
			backup: shown.id,
			repository: shown.repository,
			database: shown.database,
			kind: shown.parent === undefined ? shown.kind : `${shown.kind}: what changed since ${shown.parent}`,
			snapshot: `between ${spellTime(shown.snapshotAfter)} and ${spellTime(shown.snapshotBefore)} (${shown.clock} clock), ${spellAge(now.getTime() - Date.parse(shown.snapshotBefore))} ago`,
			committed: `${spellTime(shown.finishedAt)} by ${shown.tool.name} ${shown.tool.version}`,
			collection:
				shown.collection &&
				`${shown.collection.name}, ${shown.collection.link}; owners, grants and settings as of ${spellTime(shown.collection.schemesReadAt)}`,
			labels: labelsText(shown.labels),
			asked: shown.paths.length === 0 ? undefined : shown.paths.join(' '),
			tables: `${spellCount(counts.tables)}, ${counts.rows === undefined ? 'rows not counted' : `${rowsText(counts.rows)} rows`}`,
			directories: spellCount(counts.directories),
			size: `${counts.plainBytes === undefined ? '' : `${spellBytes(counts.plainBytes)} of data, `}${spellBytes(counts.storedBytes)} stored in ${spellCount(counts.files)} objects (${shown.compression})`,
			encrypted: encryptionText(shown.encryption),
			'copy kept': shown.keptCopy && `in ${printable(shown.keptCopy)}, unless it was dropped since`,
			held: shown.hold && holdText(shown.hold),
			'read back': shown.readBack,
			'data files': provenanceText(shown.provenance),
			proven:
				shown.provenAt === undefined
					? 'never: ydbackup backup verify --level full does'
					: `${spellTime(shown.provenAt)}: all of it was read and is right`,
		}),
	]
	if (shown.chain.length > 0) lines.push('', chainText(shown, now))
	if (tables.length > 0)
		lines.push(
			'',
			tableText(tables, [
				{ title: 'TABLE', cell: ({ path }) => path },
				{
					title: shown.kind === 'full' ? 'ROWS' : 'CHANGES',
					align: 'right',
					cell: ({ rows }) => rowsText(rows),
				},
				{
					title: 'SIZE',
					align: 'right',
					cell: ({ plainBytes }) => (plainBytes === undefined ? '' : spellBytes(plainBytes)),
				},
				{ title: 'PARTITIONS', align: 'right', cell: ({ partitions }) => spellCount(partitions) },
				...(shown.kind === 'full'
					? []
					: [
							{
								title: 'ROWS AFTER',
								align: 'right' as const,
								cell: ({ rowsAfter }: ShownTable) =>
									rowsAfter === undefined ? 'not known' : spellCount(BigInt(rowsAfter)),
							},
						]),
				{
					title: 'COUNTED',
					cell: ({ countedByServer, rows }) =>
						rows === undefined ? 'by nobody' : countedByServer ? 'by the server too' : 'by us only',
				},
				{ title: 'FOLDER', cell: ({ prefix }) => prefix },
			]),
		)
	if (objects.length > 0) {
		lines.push(
			'',
			`read live${readAt === undefined ? '' : ` at ${spellTime(readAt)}`}, not at the moment of the snapshot:`,
			'',
			tableText(objects.toSorted(byKind), [
				{ title: 'KIND', cell: ({ kind, parts }) => (kind === 'row-table' ? `${parts} changefeeds` : kind) },
				{ title: 'OBJECT', cell: ({ path }) => path },
				{ title: 'FOLDER', cell: ({ prefix }) => prefix },
			]),
		)
	}
	if (directories.length > 0)
		lines.push('', tableText(directories, [{ title: 'DIRECTORY', cell: (path) => path || '(database)' }]))
	if (notes.length > 0) lines.push('', 'left out, and what else is to be known:', '', notesText(notes))
	return lines.join('\n')
}

function byKind(a: ShownObject, b: ShownObject): number {
	return a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0
}

/** The full backup with everything that builds upon it, and where in it the shown one stands. */
function chainText({ chain, id: own }: ShownBackup, now: Date): string {
	return tableText(chain, [
		{
			title: 'CHAIN',
			cell: ({ id, position }) => (position === 0 ? id : `${id === chain.at(-1)?.id ? '└' : '├'} ${id}`),
		},
		{ title: 'TAKEN', cell: ({ snapshotBefore }) => spellTime(snapshotBefore) },
		{
			title: 'AGE',
			align: 'right',
			cell: ({ snapshotBefore }) => spellAge(now.getTime() - Date.parse(snapshotBefore)),
		},
		{
			title: 'ROWS OR CHANGES',
			align: 'right',
			cell: ({ rows }) => rowsText(rows),
		},
		{ title: 'STORED', align: 'right', cell: ({ storedBytes }) => spellBytes(storedBytes) },
		{ title: '', cell: ({ id }) => (id === own ? 'this one' : '') },
	])
}
