import type { Storage, TableSchema } from '@ydbackup/core'
import {
	type ColumnMap,
	isDefined,
	isTable,
	type Manifest,
	type ManifestObject,
	parseProtoText,
	type StoredLink,
	tableSchemaOf,
} from '@ydbackup/format'

import type { OpenedBackup } from '../encryption/open-backup.ts'
import type { StoredDirectory, StoredTable } from '../part/contents.ts'
import type { Finding } from '../part/finding.ts'
import { inspect, type Inspection, type InspectLevel } from '../part/inspect.ts'
import type { StoredObject } from '../part/stored-object.ts'

/** The kind of a manifest's note about a table of a link whose changes contradict themselves. */
export const SUSPECT = 'suspect'

/** A table in one backup of a chain. */
export interface Layer {
	readonly manifest: Manifest
	readonly table: StoredTable
}

export interface LinkLayer extends Layer {
	/** The table's columns at the end of the link. */
	readonly schema: TableSchema
	readonly columns: ColumnMap
}

/** A table as it was at the last backup of a chain, and where its rows lie. */
export interface ChainTable {
	/** As the restore of a full backup has it, but for its parts: rows come from {@link full} and {@link links}. */
	readonly stored: StoredTable
	/** The table's own text in the full backup; undefined when it joined the chain later. */
	readonly full: Layer | undefined
	/** Oldest first. Empty when the chain is the full backup alone. */
	readonly links: readonly LinkLayer[]
}

export interface OpenedChain {
	/** The full backup first. */
	readonly manifests: readonly Manifest[]
	/** Of all backups of the chain. */
	readonly findings: readonly Finding[]
	readonly tables: readonly ChainTable[]
	/** At the last backup. */
	readonly directories: readonly StoredDirectory[]
	readonly objects: readonly StoredObject[]
	/** At the last backup; undefined when it has none. */
	readonly accounts?: Inspection['accounts']
}

export interface OpenChainOptions {
	readonly storage: Storage
	/** The full backup first, as `openBackups` gives them. */
	readonly backups: readonly OpenedBackup[]
	/** Prefixes in the last backup of the tables and objects that matter; undefined for all. */
	readonly tables?: ReadonlySet<string> | undefined
	readonly level: InspectLevel
	readonly signal: AbortSignal | undefined
}

/**
 * Looks at every backup of a chain as `inspect` does, and finds for each table of the last one the layers that its rows come from. Of
 * the others only what those tables need is looked at. Throws only when the store cannot be asked; a layer that is missing is a finding.
 */
export async function openChain(options: OpenChainOptions): Promise<OpenedChain> {
	const { storage, backups, level, signal } = options
	const manifests = backups.map(({ manifest }) => manifest)
	const last = manifests.at(-1)!
	const chosen = last.objects.filter(({ prefix }) => prefix !== undefined && options.tables?.has(prefix) !== false)
	const wanted = chosen.filter((object) => isTable(object) && object.kind !== 'index-changes')
	const defined = new Set(chosen.filter(isDefined).map(({ prefix }) => prefix))
	const paths = new Set(wanted.map((object) => object.path))
	const inspections: Inspection[] = []
	for (const backup of backups) {
		const { manifest } = backup
		const needed = manifest.objects.flatMap(({ path, prefix, kind }) =>
			paths.has(path) ||
			(options.tables === undefined && kind === 'index-changes') ||
			(manifest === last && defined.has(prefix))
				? (prefix ?? [])
				: [],
		)
		const only = manifest === last && options.tables === undefined ? undefined : new Set(needed)
		inspections.push(await inspect({ storage, backup, tables: only, level, signal }))
	}
	const findings = [...inspections.flatMap((inspection) => inspection.findings), ...doubtsOf(manifests, paths)]
	const { directories, objects, accounts } = inspections.at(-1)!
	if (level !== 'contents') return { manifests, findings, tables: [], directories, objects, accounts }

	const tables: ChainTable[] = []
	for (const object of wanted) {
		const table = chainTable(object, manifests, inspections, findings)
		if (table !== undefined) tables.push(table)
	}
	return { manifests, findings, tables, directories, objects, accounts }
}

/** What links were not certain of when they were made. */
function doubtsOf(manifests: readonly Manifest[], paths: ReadonlySet<string>): Finding[] {
	return manifests.flatMap((manifest) =>
		manifest.notes
			.filter(({ kind, path }) => kind === SUSPECT && paths.has(path))
			.map(({ path, reason }) => missing(manifest, path, reason)),
	)
}

/** Undefined when a layer is damaged or missing: a finding says so. */
function chainTable(
	object: ManifestObject,
	manifests: readonly Manifest[],
	inspections: readonly Inspection[],
	findings: Finding[],
): ChainTable | undefined {
	const links: LinkLayer[] = []
	for (let at = manifests.length - 1; at >= 0; at--) {
		const manifest = manifests[at]!
		const listed = manifest.objects.find(({ path }) => path === object.path)
		const table = inspections[at]!.tables.find(({ path }) => path === object.path)
		if (listed === undefined || !isTable(listed)) {
			findings.push(missing(manifest, object.path, 'it is not in the backup that a later link builds upon'))
			return undefined
		}
		if (table === undefined) return undefined
		if (at === 0) return assembled({ manifest, table })
		const link = inspections[at]!.links[table.prefix]
		if (link === undefined) {
			findings.push(missing(manifest, object.path, 'its objects.json says nothing about it'))
			return undefined
		}
		try {
			links.unshift({ manifest, table, schema: schemaOf(link, table), columns: columnsOf(link) })
		} catch (error) {
			findings.push(missing(manifest, object.path, (error as Error).message))
			return undefined
		}
		if (link.isNew) return assembled(undefined)
	}
	return undefined

	function assembled(full: Layer | undefined): ChainTable | undefined {
		const newest = links.at(-1)
		if (newest === undefined) return full && { stored: full.table, full, links }
		const scheme = inspections.at(-1)!.links[newest.table.prefix]?.scheme ?? ''
		return { stored: storedAtLink(newest, scheme, [...(full ? [full] : []), ...links]), full, links }
	}
}

function schemaOf(link: StoredLink, table: StoredTable): TableSchema {
	return tableSchemaOf(parseProtoText(link.scheme, `the scheme of ${table.path} in objects.json`), table.path)
}

function columnsOf({ columns }: StoredLink): ColumnMap {
	return new Map(Object.entries(columns).map(([id, name]) => [Number(id), name]))
}

/** The table as a restore needs it: its own scheme, its rows (a guess where the link does not know them), and the bytes of all layers. */
function storedAtLink(newest: LinkLayer, scheme: string, layers: readonly Layer[]): StoredTable {
	const { state } = newest.table.object
	return {
		...newest.table,
		rows: Number(state?.rows ?? layers[0]!.table.rows),
		rowHash: state?.rowHash,
		plainBytes: layers.reduce((sum, { table }) => sum + table.plainBytes, 0),
		parts: [],
		schemeKey: `objects.json of ${newest.manifest.id}`,
		schemeText: scheme,
	}
}

function missing(manifest: Manifest, path: string, what: string): Finding {
	return {
		key: `catalog/${manifest.id}/manifest.json`,
		path,
		code: 'CHAIN_BROKEN',
		message: `${path} of ${manifest.id}: ${what}`,
		severity: 'data',
	}
}
