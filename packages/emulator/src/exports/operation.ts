import { clone, create, type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf'
import { type Any, anyPack, timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
	ExportItemProgressSchema,
	ExportProgress_Progress as ExportState,
	ExportToS3MetadataSchema,
	ExportToS3ResultSchema,
	type ExportToS3Settings,
	ExportToS3SettingsSchema,
} from '@ydbjs/api/export'
import {
	ImportFromS3MetadataSchema,
	ImportFromS3ResultSchema,
	type ImportFromS3Settings,
	ImportFromS3SettingsSchema,
	ImportItemProgressSchema,
	ImportProgress_Progress as ImportState,
} from '@ydbjs/api/import'
import { type Operation, OperationSchema } from '@ydbjs/api/operation'
import { STATUS } from '../error.ts'

/** Of an operation and of its items, in the order in which they come. `dropping`: done, and the copies still go. */
export type State =
	| 'preparing'
	| 'transferring'
	| 'indexing'
	| 'feeding'
	| 'dropping'
	| 'done'
	| 'cancelling'
	| 'cancelled'

/** One object of an operation. Paths of the database are absolute. */
export interface Item {
	readonly path: string
	/** Key of its folder. */
	readonly prefix: string
	readonly iv?: string | undefined
	/** Of the table of an index: the item of its table, and the path below it. */
	readonly parent?: number | undefined
	state: State
	partsTotal: number
	partsDone: number
	startedAt?: number | undefined
	endedAt?: number | undefined
	issue?: string | undefined
}

/** What is known of the copy of the tables of an export. */
export interface Copied {
	/** Step (milliseconds since 1970) and transaction. */
	readonly snapshot: readonly [step: number, transaction: number]
	/** First keys of the partitions after the first, by items: bytes in base64. */
	readonly splits: Readonly<Record<number, readonly string[]>>
}

/** An export or an import from its request until it is forgotten. All of it is JSON. */
export interface Running {
	readonly id: number
	readonly kind: 'export' | 'import'
	readonly uid: string
	readonly user: string
	/** Settings of the request, in base64. */
	readonly settings: string
	/** Random bytes in base64, of an encrypted export. */
	readonly iv?: string | undefined
	readonly startedAt: number
	copied?: Copied | undefined
	endedAt?: number | undefined
	state: State
	items: Item[]
	issue?: string | undefined
}

export const isEnded = ({ state }: Running): boolean => state === 'done' || state === 'cancelled'

export function exportSettings({ settings }: Running): ExportToS3Settings {
	return fromBinary(ExportToS3SettingsSchema, Buffer.from(settings, 'base64'))
}

export function importSettings({ settings }: Running): ImportFromS3Settings {
	return fromBinary(ImportFromS3SettingsSchema, Buffer.from(settings, 'base64'))
}

/** Numbers of `Ydb.TOperationId.EKind`. */
const NUMBERS = { export: 6, import: 8 } as const

export const operationId = ({ id, kind }: Running): string => `ydb://${kind}/${NUMBERS[kind]}?id=${id}&kind=s3`

const EXPORT: Readonly<Record<State, ExportState>> = {
	preparing: ExportState.PREPARING,
	transferring: ExportState.TRANSFER_DATA,
	indexing: ExportState.TRANSFER_DATA,
	feeding: ExportState.TRANSFER_DATA,
	dropping: ExportState.DONE,
	done: ExportState.DONE,
	cancelling: ExportState.CANCELLATION,
	cancelled: ExportState.CANCELLED,
}
const IMPORT: Readonly<Record<State, ImportState>> = {
	preparing: ImportState.PREPARING,
	transferring: ImportState.TRANSFER_DATA,
	indexing: ImportState.BUILD_INDEXES,
	feeding: ImportState.CREATE_CHANGEFEEDS,
	dropping: ImportState.DONE,
	done: ImportState.DONE,
	cancelling: ImportState.CANCELLATION,
	cancelled: ImportState.CANCELLED,
}
/** A number that no client knows: what a newer server might say. */
const UNKNOWN = 99

function progressOf<D extends DescMessage>(
	schema: D,
	{ partsTotal, partsDone, startedAt, endedAt }: Item,
): MessageShape<D> {
	return create(schema, {
		partsTotal,
		partsCompleted: partsDone,
		...(startedAt !== undefined && { startTime: timestampFromMs(startedAt) }),
		...(endedAt !== undefined && { endTime: timestampFromMs(endedAt) }),
	} as never)
}

function withoutSecrets<T extends ExportToS3Settings | ImportFromS3Settings>(settings: T): T {
	settings.accessKey = ''
	settings.secretKey = ''
	if (settings.encryptionSettings) settings.encryptionSettings.Key = { case: undefined }
	return settings
}

function metadataOf(running: Running, isStrange: boolean): Any {
	// While it prepares, nothing is told of items.
	const shown = running.state === 'preparing' ? [] : running.items
	if (running.kind === 'export') {
		const settings = clone(ExportToS3SettingsSchema, exportSettings(running))
		return anyPack(
			ExportToS3MetadataSchema,
			create(ExportToS3MetadataSchema, {
				settings: withoutSecrets(settings),
				progress: isStrange ? (UNKNOWN as ExportState) : EXPORT[running.state],
				itemsProgress: shown.map((item) => progressOf(ExportItemProgressSchema, item)),
			}),
		)
	}
	return anyPack(
		ImportFromS3MetadataSchema,
		create(ImportFromS3MetadataSchema, {
			settings: withoutSecrets(importSettings(running)),
			progress: isStrange ? (UNKNOWN as ImportState) : IMPORT[running.state],
			itemsProgress: running.items.map((item) => progressOf(ImportItemProgressSchema, item)),
		}),
	)
}

/**
 * Source: schemeshard_export.cpp, rpc_export_base.h and rpc_operation_conv_base.h: the status is SUCCESS while it runs, and it is ready when
 * it is done. One that failed was cancelled, and is ready. An empty result is there from the beginning.
 */
export function told(running: Running, isStrange: boolean): Operation {
	const { state, issue, items } = running
	const issues = [issue, ...items.map((item) => item.issue)].filter((text) => text !== undefined)
	const ready = isEnded(running) || state === 'dropping'
	const isOver = state === 'cancelling' || state === 'cancelled'
	const result =
		running.kind === 'export'
			? anyPack(ExportToS3ResultSchema, create(ExportToS3ResultSchema))
			: anyPack(ImportFromS3ResultSchema, create(ImportFromS3ResultSchema))
	return create(OperationSchema, {
		id: operationId(running),
		ready,
		result,
		status: state === 'cancelled' ? STATUS.CANCELLED : STATUS.SUCCESS,
		issues: isOver ? issues.map((message) => ({ message, severity: 1 })) : [],
		metadata: metadataOf(running, isStrange && !ready),
	})
}
