import {
	BackupError,
	type ObjectPart,
	type ProtoText,
	type SnapshotTable,
	spellType,
	type TableSchema,
	type YdbType,
} from '@ydbackup/core'
import { parseProtoText, partitionRangesOf, printProtoText, tableSchemaOf } from '@ydbackup/format'

import type { Reporter } from '../events/reporter.ts'
import type { Ledger } from './ledger.ts'
import { filesOfItem, writeItems } from './write-objects.ts'
import type { TableJob } from './write-data.ts'

export interface WriteSchemesOptions {
	/** As `ItemOptions.root`. */
	readonly root: string
	readonly jobs: readonly TableJob[]
	/** Owner and grants by path. */
	readonly permissions: ReadonlyMap<string, ProtoText>
	/** By the path of a table. */
	readonly changefeeds: ReadonlyMap<string, readonly ObjectPart[]>
	readonly ledger: Ledger
	readonly isEncrypted: boolean
	readonly reporter: Reporter
	readonly concurrency: number
	readonly signal: AbortSignal
}

/**
 * Writes `scheme.pb`, `permissions.pb`, changefeeds and `metadata.json` of each table, with sidecars. Returns, by prefix, the full schemes of
 * the tables whose `scheme.pb` had to leave fields out that this version does not know.
 */
export async function writeSchemes(options: WriteSchemesOptions): Promise<Record<string, string>> {
	const fuller: Record<string, string> = {}
	await writeItems(options.jobs, options, ({ table, prefix }) => {
		const native = printProtoText(table.scheme)
		assertReadable(native, table)
		const full = printProtoText(table.scheme, { unknownFields: 'keep' })
		if (full !== native) {
			fuller[prefix] = full
			options.reporter.warn(
				'the scheme has fields that this version does not know; they are kept beside scheme.pb',
				table.path,
			)
		}

		const scheme = { role: 'scheme', name: 'scheme.pb', bytes: Buffer.from(native) } as const
		const rights = options.permissions.get(table.path) ?? []
		const parts = options.changefeeds.get(table.path) ?? []
		return filesOfItem(prefix, [scheme], { permissions: rights, parts }, options)
	})
	return fuller
}

function spellSchema({ columns, primaryKey }: TableSchema): string {
	const oid = (type: YdbType): number => (type.kind === 'optional' ? oid(type.item) : type.kind === 'pg' ? type.oid : 0)
	return JSON.stringify([primaryKey, columns.map(({ name, type }) => [name, spellType(type), oid(type)])])
}

/** A scheme that a restore could not use must be found now, not on the day of the restore. */
function assertReadable(text: string, table: SnapshotTable): void {
	const scheme = parseProtoText(text, 'scheme.pb')
	const schema = tableSchemaOf(scheme, table.path)
	if (spellSchema(schema) !== spellSchema(table.schema)) {
		throw new BackupError('INTERNAL', `${table.path}: its scheme.pb does not describe the rows that were read`, {
			advice: "leave the table out with --exclude to back up the others, and report this with the table's description",
		})
	}
	const partitions = partitionRangesOf(scheme, schema)?.length
	if (partitions !== table.ranges.length) {
		throw new BackupError(
			'INTERNAL',
			`${table.path}: its scheme.pb has ${partitions ?? 'uncertain'} partitions, and ${table.ranges.length} were read`,
			{
				advice:
					"leave the table out with --exclude to back up the others, and report this with the table's description",
			},
		)
	}
}
