import type { SnapshotSink } from '@ydbackup/core'
import { dumpLayout, parseProtoText, printProtoText, tableSchemaOf } from '@ydbackup/format'

import { isColumnTable } from '../part/column-table.ts'
import { openPermissions, openScheme, type PartFile, type StoredTable } from '../part/contents.ts'
import { objectDamaged, objectMissing } from '../part/damage.ts'
import { type Finding, findingOf } from '../part/finding.ts'
import { type ForeignFiles, storedKey } from './foreign-files.ts'
import { type ForeignObject, join } from './open-foreign.ts'
import { openItem } from './read-item.ts'
import { readSidecar } from './read-small.ts'

export interface ReadForeignOptions {
	readonly files: ForeignFiles
	readonly sink: SnapshotSink
	readonly layout: 'dump' | 'export'
	/** What is going to be restored. */
	readonly rows: boolean
	readonly schemes: boolean
	readonly changefeeds: boolean
	readonly rights: boolean
	readonly signal: AbortSignal | undefined
}

/** A table as far as its small files say; its rows are not read. */
export interface ReadTable {
	/** Undefined when it cannot be restored: a finding or a problem says why. */
	readonly table: StoredTable | undefined
	readonly findings: readonly Finding[]
	/** What will not be as it was. */
	readonly problems: readonly string[]
	/** What is not needed. */
	readonly notes: readonly { readonly kind: string; readonly reason: string }[]
	readonly warnings: readonly string[]
}

/**
 * Reads the small files of a table. Everything that is wrong is collected; it throws only when the store cannot be asked.
 */
export async function readForeignTable(
	{ path, found }: ForeignObject,
	options: ReadForeignOptions,
): Promise<ReadTable> {
	const { signal } = options
	const { folder, files } = found
	const item = await openItem({ path, found }, options)
	const { findings, problems, checksums, attempt } = item
	const warnings = found.strange.map((name) => `its folder ${name} is nothing that is known: it is not restored`)
	const schemeKey = join(folder, dumpLayout.SCHEME)
	const permissionsKey = files.has(dumpLayout.PERMISSIONS) ? join(folder, dumpLayout.PERMISSIONS) : undefined
	const parts = options.rows ? await readParts() : []
	const scheme = await attempt(schemeKey, 'data', async () => {
		const given = parseProtoText(await item.read(schemeKey), schemeKey)
		// Before anything is taken out: a column of an unknown type must not lose its type in silence.
		tableSchemaOf(given, path)
		return item.known('CreateTableRequest', given)
	})
	const permissions = await item.permissions()
	const changefeeds = options.schemes && options.changefeeds ? await item.parts() : []
	const notes = found.indexTables.map((name) => ({
		kind: 'index data',
		reason: `the rows of ${name} are not needed: indexes are built again`,
	}))
	if (scheme === undefined || permissions === undefined || parts === undefined) return end(undefined)
	if (isColumnTable(scheme) && parts.length === 0 && options.rows) {
		problems.push(
			'its rows are not in the files: it is a column table, of which older versions of ydb tools dump the scheme only',
		)
	}
	const table: StoredTable = {
		object: { path, kind: 'row-table' },
		path,
		prefix: folder,
		rows: 0,
		rowHash: undefined,
		plainBytes: parts.reduce((sum, part) => sum + part.size, 0),
		parts,
		changefeeds,
		unseal: options.files.cipher?.unseal,
		foreign: { mayRepeatRows: options.layout === 'dump' },
		schemeKey,
		schemeText: printProtoText(scheme, { unknownFields: 'keep' }),
		permissionsKey,
		permissionsText: Buffer.from(printProtoText(permissions, { unknownFields: 'keep' })),
	}
	const fits = await attempt(schemeKey, 'data', async () => {
		const { ranges } = openScheme(table)
		openPermissions(table)
		// How many files the rows of a column table take is not known of any tool.
		if (!isColumnTable(scheme)) checkNumber(ranges.length)
		return true
	})
	return end(fits === true ? table : undefined)

	function end(read: StoredTable | undefined): ReadTable {
		return { table: read, findings, problems, notes, warnings }
	}

	async function readParts(): Promise<PartFile[] | undefined> {
		const data = dumpLayout.findDataFiles(files)
		for (const name of data.second)
			warnings.push(`${join(folder, name)} is a second file of its number: it is not read`)
		for (const name of data.strange) warnings.push(`${join(folder, name)} is no name of a data file: it is not read`)
		if (data.unreadable.length > 0) {
			const key = join(folder, data.unreadable[0]!)
			const error = objectDamaged(
				key,
				'files of this kind (Parquet, or encrypted in an export that is not) cannot be read',
			)
			findings.push(findingOf(error, key, 'data', path))
			return undefined
		}
		if (data.missing.length > 0) {
			const [first] = data.missing
			const key = join(folder, dumpLayout.dumpDataName(first!))
			if (options.layout === 'export') {
				findings.push(findingOf(objectMissing(key), key, 'data', path))
				return undefined
			}
			problems.push(
				`${key} is not there although later files are: its rows may be missing (YDB's own restore would read no file behind it)`,
			)
		}
		if (options.layout === 'export' && data.files.length === 0) {
			const key = join(folder, dumpLayout.dumpDataName(0))
			findings.push(findingOf(objectMissing(key), key, 'data', path))
			return undefined
		}
		const parts: PartFile[] = []
		for (const { number, name, size, isCompressed } of data.files) {
			const key = join(folder, name)
			const plainSha256 = checksums
				? await attempt(key, 'native', () => readSidecar(options.files, key, signal))
				: undefined
			parts.push({
				key: storedKey(options.files, key),
				size,
				partition: number,
				plainSha256,
				compression: isCompressed ? 'zstd-1' : 'none',
			})
		}
		return parts
	}

	/** In an export each partition has one file; exports of servers with a known bug have others, and rows in them all the same. */
	function checkNumber(partitions: number): void {
		if (options.layout === 'dump' || !options.rows || parts === undefined || parts.length === partitions) return
		const error = objectDamaged(
			schemeKey,
			`it makes ${partitions} partitions, and there are ${parts.length} data files, so that some may be lost`,
		)
		findings.push(findingOf(error, schemeKey, 'native', path))
	}
}
