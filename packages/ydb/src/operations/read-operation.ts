import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { ExportProgress_Progress, ExportToS3MetadataSchema, ExportToYtMetadataSchema } from '@ydbjs/api/export'
import { ImportFromS3MetadataSchema, ImportProgress_Progress } from '@ydbjs/api/import'
import type { Operation } from '@ydbjs/api/operation'
import { IndexBuildMetadataSchema, IndexBuildState_State } from '@ydbjs/api/table'
import type { ClusterOperation, OperationItem } from '@ydbackup/core'
import { refusalError, SUCCESS } from '../call/failure.ts'
import { readPercent } from './percent.ts'

interface Told {
	readonly progress?: string | undefined
	readonly percent?: number | undefined
	readonly items?: readonly OperationItem[]
	/** Its progress says that it has been given up. */
	readonly isCancelled?: boolean
}

/**
 * What an operation says of itself. It has ended well when it is ready and has succeeded: a start answers `SUCCESS` long before. It has
 * failed when it is ready, or says that it is cancelled, with any other status. Everything else is running.
 */
export function readOperation({ id, ready, status, issues, metadata }: Operation): ClusterOperation {
	const { progress, percent, items = [], isCancelled = false } = metadata === undefined ? {} : told(metadata)
	const hasFailed = status !== SUCCESS && (ready || isCancelled)
	const doing = 'complete the operation'
	return {
		id,
		state: hasFailed ? 'failed' : ready && status === SUCCESS ? 'done' : 'running',
		progress,
		percent,
		items,
		failure: hasFailed ? refusalError({ status, issues }, doing) : undefined,
	}
}

/** Names of metadata that have no schema in the client, with those of their progress. Source: draft/ydb_backup.proto. */
const BACKUPS = new Set([
	'Ydb.Backup.IncrementalBackupMetadata',
	'Ydb.Backup.RestoreMetadata',
	'Ydb.Backup.BackupMetadata',
])

function told(metadata: Any): Told {
	const name = metadata.typeUrl.slice(metadata.typeUrl.lastIndexOf('/') + 1)
	const opened = open(metadata, ExportToS3MetadataSchema) ?? open(metadata, ExportToYtMetadataSchema)
	if (opened !== undefined) {
		const { progress, itemsProgress, settings } = opened
		return {
			progress: wordOf(ExportProgress_Progress, progress),
			items: itemsOf(
				itemsProgress,
				settings?.items.map(({ sourcePath }) => sourcePath),
			),
			isCancelled: progress === ExportProgress_Progress.CANCELLED,
		}
	}
	const imported = open(metadata, ImportFromS3MetadataSchema)
	if (imported !== undefined) {
		const { progress, itemsProgress, settings } = imported
		return {
			progress: wordOf(ImportProgress_Progress, progress),
			items: itemsOf(
				itemsProgress,
				settings?.items.map(({ destinationPath }) => destinationPath),
			),
			isCancelled: progress === ImportProgress_Progress.CANCELLED,
		}
	}
	const built = open(metadata, IndexBuildMetadataSchema)
	if (built !== undefined) {
		return {
			progress: wordOf(IndexBuildState_State, built.state),
			percent: Math.round(built.progress),
			isCancelled: built.state === IndexBuildState_State.CANCELLED,
		}
	}
	return BACKUPS.has(name) ? readPercent(metadata.value) : {}
}

/** Undefined when it is of another kind, or of none that can be read. */
function open<D extends DescMessage>(metadata: Any, schema: D): MessageShape<D> | undefined {
	try {
		return anyUnpack(metadata, schema)
	} catch {
		return undefined
	}
}

function wordOf(words: Readonly<Record<number, string>>, number: number): string {
	return words[number] ?? String(number)
}

/** Paths only where the server has as many items as were asked for: it may have expanded directories. */
function itemsOf(
	progress: readonly { readonly partsTotal: number; readonly partsCompleted: number }[],
	paths: readonly string[] = [],
): OperationItem[] {
	const areSame = paths.length === progress.length
	return progress.map(({ partsTotal, partsCompleted }, at) => ({
		...(areSame && { path: paths[at] }),
		partsDone: partsCompleted,
		partsTotal,
	}))
}
