import { BackupError, DEFINED_KINDS, type DefinedKind } from '@ydbackup/core'
import {
	canonicalJson,
	type Compression,
	encryption,
	type EncryptionAlgorithm,
	type EncryptionKey,
	Fields,
	type JsonValue,
	parseCompression,
	parseJson,
} from '@ydbackup/format'

import type { Note } from '../backup/backup-plan.ts'

/** Its path is relative to the database; owner and grants are text. */
export interface ExportedPath {
	readonly path: string
	readonly permissions: string
}

export interface ExportedObject extends ExportedPath {
	readonly kind: DefinedKind
}

/** What a backup by the cluster takes: fixed when its export begins, for whoever goes on with it. */
export interface ExportPlan {
	/** Row tables, in the order in which the cluster is asked for them. */
	readonly tables: readonly ExportedPath[]
	/** What it is asked for behind them. */
	readonly exported: readonly ExportedObject[]
	/** What is written beside the export by us, for the cluster does not export it. */
	readonly columnTables: readonly ExportedPath[]
	readonly objects: readonly ExportedObject[]
	/** Whether the changefeeds of the tables are taken too. */
	readonly changefeeds: boolean
	/** Whether users and groups are. */
	readonly accounts: boolean
	readonly directories: readonly ExportedPath[]
	readonly notes: readonly Note[]
	/** What was asked for. */
	readonly paths: readonly string[]
	readonly labels: Readonly<Record<string, string>>
	readonly compression: Compression
}

/** What the run was begun with, without names. */
export interface ExportState {
	readonly keyId?: string | undefined
	readonly algorithm?: EncryptionAlgorithm | undefined
}

export const PLAN_FILE = 'plan.json'
export const STATE_FILE = 'export.json'
/** The cluster's id of the export; written when it has begun. */
export const OPERATION_FILE = 'operation.json'
const LARGEST = 256 << 20

/** With a key: encrypted under an IV of its own. */
export function encodePlan(
	plan: ExportPlan,
	seal: { readonly key: EncryptionKey; readonly algorithm: EncryptionAlgorithm } | undefined,
): Uint8Array {
	const bytes = Buffer.from(canonicalJson({ version: 1, ...plan } as unknown as JsonValue))
	if (seal === undefined) return bytes
	const { key, algorithm } = seal
	const iv = encryption.newExportIv()
	return encryption.createFileEncryptor({ key, algorithm, iv, name: PLAN_FILE }).encryptWhole(bytes)
}

/** Errors: `FORMAT_INVALID`, `KEY_WRONG`. */
export async function decodePlan(
	stored: Uint8Array,
	where: string,
	seal: { readonly key: EncryptionKey; readonly algorithm: EncryptionAlgorithm } | undefined,
): Promise<ExportPlan> {
	const bytes =
		seal === undefined ? stored : await encryption.decryptWhole(stored, { ...seal, iv: undefined, name: where })
	const fields = open(bytes, where)
	return {
		tables: fields.list('tables').map(readPath),
		exported: fields.list('exported').map(readObject),
		columnTables: fields.list('columnTables').map(readPath),
		objects: fields.list('objects').map(readObject),
		changefeeds: fields.flag('changefeeds'),
		accounts: fields.flag('accounts'),
		directories: fields.list('directories').map(readPath),
		notes: fields.list('notes').map((note) => ({
			path: note.text('path', { max: 16_384 }),
			kind: note.text('kind'),
			reason: note.text('reason', { max: 4096 }),
		})),
		paths: fields.texts('paths', { max: 16_384 }),
		labels: fields.textRecord('labels', { max: 4096 }),
		compression: parseCompression(fields.text('compression')),
	}
}

function readPath(fields: Fields): ExportedPath {
	return { path: fields.text('path', { max: 16_384 }), permissions: fields.text('permissions', { max: 64 << 20 }) }
}

function readObject(fields: Fields): ExportedObject {
	const name = fields.text('kind')
	const kind = DEFINED_KINDS.find((known) => known === name)
	if (kind === undefined) throw fields.bad('kind', 'is not known', name)
	return { ...readPath(fields), kind }
}

export function encodeState(state: ExportState): Uint8Array {
	return Buffer.from(canonicalJson({ version: 1, ...state } as unknown as JsonValue))
}

/** Errors: `FORMAT_INVALID`. */
export function decodeState(bytes: Uint8Array, where: string): ExportState {
	const fields = open(bytes, where)
	const keyId = fields.textIf('keyId', { like: [/^[0-9a-f]{32}$/u, 'id of a key'] })
	const algorithm = fields.textIf('algorithm')
	return {
		...(keyId !== undefined && { keyId }),
		...(algorithm !== undefined && { algorithm: encryption.parseAlgorithm(algorithm) }),
	}
}

export function encodeOperation(operation: string): Uint8Array {
	return Buffer.from(canonicalJson({ version: 1, operation }))
}

/** Errors: `FORMAT_INVALID`. */
export function decodeOperation(bytes: Uint8Array, where: string): string {
	return open(bytes, where).text('operation', { max: 4096 })
}

function open(bytes: Uint8Array, where: string): Fields {
	function complain(what: string, cause?: unknown): BackupError {
		return new BackupError('FORMAT_INVALID', `${where} ${what}`, {
			advice: 'the run cannot be gone on with: discard it, and begin a new backup',
			cause,
		})
	}
	const fields = new Fields(parseJson(bytes, { maxBytes: LARGEST }, complain), '', complain)
	if (fields.count('version') !== 1) throw complain('was written by a newer version')
	return fields
}
