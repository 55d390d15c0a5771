import { BackupError, protoFields, type ProtoText, spellType, type TableSchema } from '@ydbackup/core'
import { changes as changeFormat, type Manifest } from '@ydbackup/format'

import type { ChainTable, Layer, LinkLayer } from '../chain/open-chain.ts'
import { openPermissions, openScheme } from '../part/contents.ts'
import type { RestoreSettings } from '../restore/restore-options.ts'
import { splitPermissions } from '../restore/split-permissions.ts'
import { splitScheme } from '../restore/split-scheme.ts'

/** One backup of a chain as a directory of a collection. */
export interface NativeLink {
	readonly name: string
	readonly id: string
	readonly tables: readonly NativeTable[]
}

export interface NativeTable {
	/** Relative to the database, and below the link's directory. */
	readonly path: string
	/** `CreateTableRequest` without path. */
	readonly create: ProtoText
	readonly layer: Layer
}

const ADVICE = 'restore with --method apply, which can do it'

/** Flags of a restore that RESTORE cannot follow. Errors: `CONFIG_INVALID`. */
export function assertNativeSettings(options: RestoreSettings): void {
	const given: readonly (readonly [flag: string, isGiven: boolean])[] = [
		['--to', options.to !== undefined],
		['--map', (options.map ?? []).length > 0],
		['--include', (options.include ?? []).length > 0],
		['--exclude', (options.exclude ?? []).length > 0],
		[`--existing ${options.existing}`, options.existing !== 'fail'],
		['--scheme-only', options.schemeOnly === true],
		['--data-only', options.dataOnly === true],
	]
	for (const [flag, isGiven] of given) {
		if (!isGiven) continue
		throw new BackupError('CONFIG_INVALID', `${flag} cannot be had with --method native`, {
			advice: `the cluster's RESTORE brings all tables of a chain back to their own paths, where nothing may stand; ${ADVICE}`,
		})
	}
}

/**
 * The chain as directories of a collection, the full backup first. Errors: `UNSUPPORTED` naming what the cluster's RESTORE would not do, or
 * do wrong without saying so.
 */
export function planNative(tables: readonly ChainTable[], noAcl: boolean): readonly NativeLink[] {
	if (tables.length === 0) throw refusal('the backup', 'holds no table')
	for (const table of tables) assertRestorable(table, noAcl)
	const layers = tables.map(layersOf)
	const manifests = layers[0]!.map(({ manifest }) => manifest)
	const names = linkNames(manifests)
	return manifests.map((manifest, at) => ({
		name: names[at]!,
		id: manifest.id,
		tables: tables.map(({ stored }, index) => {
			const layer = layers[index]![at]!
			// A table of the full backup is made as it was at the link, so that it comes out with the settings of that time.
			const create =
				at === 0 ? splitScheme(openScheme(stored).scheme).create : columnsAndKey(openScheme(layer.table).scheme)
			return { path: stored.path, create, layer }
		}),
	}))
}

const layersOf = ({ full, links }: ChainTable): Layer[] => [full!, ...links]

function refusal(path: string, what: string): BackupError {
	return new BackupError('UNSUPPORTED', `${path} ${what}`, { advice: ADVICE })
}

function assertRestorable({ stored, full, links }: ChainTable, noAcl: boolean): void {
	const { path } = stored
	if (full === undefined)
		throw refusal(path, 'joined the chain after its full backup, and RESTORE knows the tables of that alone')
	if (full.table.object.kind !== 'row-table')
		throw refusal(path, `is a ${full.table.object.kind}: RESTORE knows row tables alone`)
	if (!noAcl && splitPermissions(openPermissions(stored)).isClosed)
		throw refusal(
			path,
			'is closed to those who have rights on its directory, and RESTORE would let them in for a while',
		)
	const { schema } = openScheme(full.table)
	for (const link of links) {
		if (spellColumns(link.schema) !== spellColumns(schema))
			throw refusal(
				path,
				`has other columns in ${link.manifest.id} than in the full backup, and RESTORE does not change columns`,
			)
		assertIds(path, link, schema)
	}
}

/**
 * A table that is made anew numbers its columns 1..N in their order (inferred, not verified), and changes speak of columns by number: with
 * other numbers RESTORE would put values into other columns, or NULL over good ones, and say nothing.
 */
function assertIds(path: string, { table, columns, manifest }: LinkLayer, full: TableSchema): void {
	const { schema } = openScheme(table)
	const names = schema.columns.map(({ name }) => name)
	const wanted = [...full.columns.map(({ name }) => name), changeFormat.METADATA_COLUMN]
	const isInOrder = names.length === wanted.length && names.every((name, at) => name === wanted[at])
	const values = changeFormat.valueColumns(schema).length
	// Without a map no change names any column.
	const isKnown = columns.size === 0 || columns.size === values
	const isSame = isKnown && [...columns].every(([id, name]) => names[id - 1] === name)
	if (isInOrder && isSame) return
	throw refusal(
		path,
		`has columns in ${manifest.id} whose numbers in the cluster are not those of a table that is made anew (a column was dropped once): RESTORE would write to the wrong ones`,
	)
}

function spellColumns({ columns, primaryKey }: TableSchema): string {
	return [...columns.map(({ name, type }) => `${name} ${spellType(type)}`), ...primaryKey].join('\n')
}

function columnsAndKey(scheme: ProtoText): ProtoText {
	return ['columns', 'primary_key'].flatMap((name) => protoFields(scheme, name).map((value) => ({ name, value })))
}

/** The names that the links had, if they sort as the links follow each other; else names that do. */
function linkNames(manifests: readonly Manifest[]): string[] {
	const kindOf = ({ kind }: Manifest): string => (kind === 'full' ? 'full' : 'incremental')
	const own = manifests.map(({ source }) => source.collection?.link ?? '')
	const fits = own.every(
		(name, at) =>
			/^\d{14}Z_[a-z]+$/u.test(name) &&
			name.endsWith(`_${kindOf(manifests[at]!)}`) &&
			(at === 0 || name > own[at - 1]!),
	)
	if (fits) return own
	return manifests.map(
		(manifest, at) =>
			`${String(at).padStart(6, '0')}_${manifest.id.slice(0, 15).replace('T', '')}Z_${kindOf(manifest)}`,
	)
}
