import type { DefinedKind, ProtoText } from '@ydbackup/core'
import { type Compression, printProtoText } from '@ydbackup/format'

import type { BackupPlan } from '../backup/backup-plan.ts'
import type { LiveObjects } from '../backup/live-objects.ts'
import { patternNotes } from '../backup/manifest.ts'
import type { ClusterBackupOptions } from './cluster-options.ts'
import type { ExportedPath, ExportPlan } from './export-plan.ts'

/**
 * Who takes what: the cluster row tables and objects of `kinds`, and we all else. Objects that could not be described are noted in `live` and
 * not asked for: a restore could not use what the cluster says of them.
 */
export function planExport(
	{ tables, directories, notes, paths, changefeeds, ...plan }: BackupPlan,
	live: LiveObjects,
	kinds: ReadonlySet<DefinedKind>,
	options: ClusterBackupOptions,
	compression: Compression,
): ExportPlan {
	const described = new Set(live.objects.map(({ path }) => path))
	const objects = plan.objects.flatMap((object) =>
		described.has(object.path) ? [{ ...asText(object), kind: object.kind }] : [],
	)
	return {
		tables: tables.filter(({ kind }) => kind === 'row-table').map(asText),
		exported: objects.filter(({ kind }) => kinds.has(kind)),
		columnTables: tables.filter(({ kind }) => kind === 'column-table').map(asText),
		objects: objects.filter(({ kind }) => !kinds.has(kind)),
		changefeeds,
		accounts: options.accounts !== undefined,
		directories: directories.map(asText),
		notes: [...notes, ...live.notes, ...patternNotes(options)],
		paths,
		labels: { ...options.labels },
		compression,
	}
}

function asText({ path, permissions }: { readonly path: string; readonly permissions: ProtoText }): ExportedPath {
	return { path, permissions: printProtoText(permissions, { unknownFields: 'keep' }) }
}
