import { DescribeTableResultSchema, type DescribeTableResult } from '@ydbjs/api/table'
import { clone, create, equals } from '@bufbuild/protobuf'
import type { Driver } from '@ydbjs/core'
import {
	BackupError,
	type CallOptions,
	type CollectionLink,
	type CollectionSource,
	isBackupError,
	type SnapshotSink,
	type SnapshotTable,
} from '@ydbackup/core'
import { forEachAbreast } from '../call/abreast.ts'
import { readRange, type RangeReader } from '../rows/read-range.ts'
import { describeObject } from '../objects/describe.ts'
import { kindOf } from '../scheme/kinds.ts'
import { describeTable, snapshotTableOf, storedBytesOf } from '../scheme/table-description.ts'
import { walk as walkDatabase } from '../scheme/walk.ts'
import { now } from '../snapshot/clock.ts'
import { dropTable, listDirectory, removeDirectory } from '../snapshot/copies.ts'
import { countRows } from '../snapshot/take.ts'
import { backupOperations } from './backup-operations.ts'
import { linkKind, linkTime } from './link-time.ts'

/** Where the server keeps collections, below the database. */
export const COLLECTIONS = '.backups/collections'
/** Below a link's directory: what belongs to indexes. */
const META = '__ydb_backup_meta'

export interface CollectionContext {
	readonly control: Driver
	readonly database: string
	readonly sink: Pick<SnapshotSink, 'find'>
	readonly data: (signal: AbortSignal | undefined) => Promise<Pick<RangeReader, 'driver' | 'budget'>>
}

interface Tree {
	/** Paths relative to the root of the tree. */
	readonly tables: string[]
	readonly directories: string[]
}

/** Reads a backup collection from its directory: the public API knows no more of it. */
export function openCollection({ control, database, sink, data }: CollectionContext, name: string): CollectionSource {
	if (name === '' || name.includes('/') || name === '.' || name === '..') {
		throw new BackupError('CONFIG_INVALID', `${JSON.stringify(name)} is no name of a backup collection`, {
			advice: 'give the bare name, without a path',
		})
	}
	const root = `${database}/${COLLECTIONS}/${name}`
	const placeOf = (link: CollectionLink, path: string): string => `${root}/${link.name}/${path}`
	/** The transactions that made the directories, and the name of the newest link, as the last listing had them. */
	const madeBy = new Map<string, string>()
	let newest = ''

	async function walk(top: string, options: CallOptions): Promise<Tree> {
		const tree: Tree = { tables: [], directories: [] }
		const open = ['']
		for (let path = open.shift(); path !== undefined; path = open.shift()) {
			const children = (await listDirectory(control, path === '' ? top : `${top}/${path}`, options)) ?? []
			for (const child of children.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))) {
				const below = path === '' ? child.name : `${path}/${child.name}`
				const kind = kindOf(child.type)
				if (kind === 'directory') {
					tree.directories.push(below)
					open.push(below)
				} else if (kind === 'row-table') tree.tables.push(below)
			}
		}
		return tree
	}

	/** A copy with the settings of the table that it was copied from, as long as that has the same columns. */
	async function tableOf(link: CollectionLink, path: string, options: CallOptions): Promise<SnapshotTable> {
		const copy = await describeTable(control, placeOf(link, path), options)
		const original = link.kind === 'full' ? await describeIfThere(`${database}/${path}`, options) : undefined
		return snapshotTableOf(path, original && sameShape(original, copy) ? original : copy, copy)
	}

	async function describeIfThere(path: string, options: CallOptions): Promise<DescribeTableResult | undefined> {
		try {
			return await describeTable(control, path, options)
		} catch (error) {
			if (isBackupError(error, 'PATH_NOT_FOUND')) return undefined
			throw error
		}
	}

	return {
		name,
		database,

		async now({ signal } = {}) {
			const { server, client } = await now(control, signal)
			return new Date(Number((server ?? client) / 1000n))
		},

		async links(options = {}) {
			const children = await listDirectory(control, root, options)
			if (children === undefined) {
				throw new BackupError('PATH_NOT_FOUND', `there is no backup collection ${name} in ${database}`, {
					advice: `look for it in ${database}/${COLLECTIONS}; names are case-sensitive`,
				})
			}
			const links: CollectionLink[] = []
			for (const child of children.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
				const kind = linkKind(child.name)
				if (kind === undefined || kindOf(child.type) !== 'directory') continue
				links.push({
					name: child.name,
					kind,
					...linkTime(child.name, Number(child.createdAt?.planStep ?? 0n), Date.now()),
				})
				madeBy.set(child.name, String(child.createdAt?.txId ?? ''))
				newest = child.name
			}
			return links
		},

		async progress(link, options = {}) {
			if (link.kind === 'full') return 'complete'
			const operations = await backupOperations(control, 'incbackup', options)
			const own = operations.find(({ txId }) => txId !== undefined && txId === madeBy.get(link.name))
			if (own !== undefined) return own.state
			// Nothing says which link an operation writes; it can be no other than the newest of its collection.
			return link.name === newest && operations.some(({ state }) => state === 'running') ? 'running' : 'complete'
		},

		async contents(link, options = {}) {
			const { tables } = await walk(`${root}/${link.name}`, options)
			const isMeta = (path: string): boolean => path.startsWith(`${META}/`)
			const paths = tables
				.filter((path) => !isMeta(path))
				.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
			return {
				tables: await forEachAbreast(paths, (path) => tableOf(link, path, options)),
				indexChanges: await forEachAbreast(tables.filter(isMeta), (path) => tableOf(link, path, options)),
			}
		},

		async *read(link, { path, schema }, range, options) {
			const reader = await data(options?.signal)
			yield* readRange({ ...reader, path: placeOf(link, path), schema }, range, options)
		},

		countRows: (link, { path }, options) => countRows(control, placeOf(link, path), options?.signal),

		storedBytes: (link, { path }, options) => storedBytesOf(control, placeOf(link, path), options),

		async live(path, options = {}) {
			const found = await sink.find(path, options)
			if (found === undefined) return undefined
			const { permissions, kind } = found
			const table = kind === 'row-table' ? await describeIfThere(`${database}/${path}`, options) : undefined
			return { permissions, table: table && snapshotTableOf(path, table, table) }
		},

		list: (options) => walkDatabase(control, database, options?.signal),

		describe: (object, options) => describeObject({ control, database }, object, options),

		async drop(link, options = {}) {
			const top = `${root}/${link.name}`
			const { tables, directories } = await walk(top, options)
			await forEachAbreast(tables, (path) => dropTable(control, `${top}/${path}`, options))
			for (const path of directories.toReversed()) await removeDirectory(control, `${top}/${path}`, options)
			await removeDirectory(control, top, options)
		},
	}
}

/** Whether a copy has the columns and the key of a table. The state of sequences moves on. */
function sameShape(a: DescribeTableResult, b: DescribeTableResult): boolean {
	const shape = (table: DescribeTableResult): DescribeTableResult => {
		const { columns, primaryKey } = clone(DescribeTableResultSchema, table)
		for (const { defaultValue } of columns) if (defaultValue.case === 'fromSequence') delete defaultValue.value.setVal
		return create(DescribeTableResultSchema, { columns, primaryKey })
	}
	return equals(DescribeTableResultSchema, shape(a), shape(b))
}
