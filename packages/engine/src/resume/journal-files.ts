import {
	BackupError,
	DEFINED_KINDS,
	type LeftSnapshot,
	type ObjectKind,
	type ProtoText,
	type Snapshot,
} from '@ydbackup/core'
import {
	canonicalJson,
	Fields,
	type JsonValue,
	type ManifestFile,
	parseJson,
	parseProtoText,
	partitionRangesOf,
	printProtoText,
	tableSchemaOf,
} from '@ydbackup/format'

import type { BackupPlan, PlannedObject } from '../backup/backup-plan.ts'

/** What was asked of a run: enough to ask for the same again. */
export interface RunRequest {
	/** Id of the backup that an increment is made upon. */
	readonly parent?: string | undefined
	readonly paths: readonly string[]
	readonly include: readonly string[]
	readonly exclude: readonly string[]
	readonly kinds?: readonly string[] | undefined
	readonly excludeKinds?: readonly string[] | undefined
	/** Whether users and groups are taken too; they are read again. */
	readonly accounts: boolean
	readonly labels: Readonly<Record<string, string>>
	readonly compression: string
	readonly countRows: boolean
	readonly keepCopy?: boolean | undefined
	readonly algorithm?: string | undefined
}

/** The copies of a run, and what its backup will hold. */
export interface RunSnapshot {
	readonly plan: Omit<BackupPlan, 'warnings'>
	readonly left: LeftSnapshot
}

const MAX_BYTES = 192 << 20
const TEXT = { max: 16 << 20 }
const PATH = { max: 16_384 }

export function encodeRequest(request: RunRequest): Uint8Array {
	return encode('run-request', { ...request })
}

/** Errors: `FORMAT_INVALID`. */
export function decodeRequest(bytes: Uint8Array, where: string): RunRequest {
	const fields = decode('run-request', bytes, where)
	return {
		parent: fields.textIf('parent'),
		paths: fields.texts('paths', PATH),
		include: fields.texts('include', PATH),
		exclude: fields.texts('exclude', PATH),
		kinds: fields.has('kinds') ? fields.texts('kinds') : undefined,
		excludeKinds: fields.has('excludeKinds') ? fields.texts('excludeKinds') : undefined,
		accounts: fields.flag('accounts'),
		labels: fields.textRecord('labels', PATH),
		compression: fields.text('compression'),
		countRows: fields.flag('countRows'),
		keepCopy: fields.flagIf('keepCopy'),
		algorithm: fields.textIf('algorithm'),
	}
}

export function encodeSnapshot(plan: BackupPlan, snapshot: Snapshot): Uint8Array {
	const { paths, tables, changefeeds, objects, directories, notes } = plan
	const print = (tree: ProtoText): string => printProtoText(tree, { unknownFields: 'keep' })
	const copies = new Map(snapshot.copies?.map((copy) => [copy.path, copy]))
	return encode('run-snapshot', {
		workDirectory: snapshot.workDirectory,
		after: snapshot.after,
		before: snapshot.before,
		clock: snapshot.clock,
		paths,
		notes: notes.map(({ path, kind, reason }) => ({ path, kind, reason })),
		changefeeds,
		objects: objects.map(({ path, kind, permissions }) => ({ path, kind, permissions: print(permissions) })),
		directories: directories.map(({ path, permissions }) => ({ path, permissions: print(permissions) })),
		tables: tables.map(({ path, permissions }) => {
			const { name, identity } = copies.get(path) ?? {}
			const scheme = print(snapshot.tables.find((table) => table.path === path)?.scheme ?? [])
			return { path, permissions: print(permissions), name, identity, scheme }
		}),
	})
}

/** Errors: `FORMAT_INVALID`. */
export function decodeSnapshot(bytes: Uint8Array, where: string): RunSnapshot {
	const fields = decode('run-snapshot', bytes, where)
	const tables = fields.list('tables')
	// Column tables are read in a transaction: a run that has some cannot be gone on with, and has no such file.
	const planned =
		(kind: ObjectKind) =>
		(one: Fields): PlannedObject => ({
			kind,
			path: one.text('path', PATH),
			permissions: parseProtoText(one.text('permissions', TEXT), where),
		})
	return {
		plan: {
			paths: fields.texts('paths', PATH),
			tables: tables.map(planned('row-table')),
			changefeeds: fields.flag('changefeeds'),
			objects: fields.list('objects').map((one) => {
				const kind = DEFINED_KINDS.find((known) => known === one.text('kind'))
				if (kind === undefined) throw one.bad('kind', 'is no kind of object that this version knows')
				return { ...planned(kind)(one), kind }
			}),
			directories: fields.list('directories').map(planned('directory')),
			notes: fields.list('notes').map((note) => ({
				path: note.text('path', PATH),
				kind: note.text('kind'),
				reason: note.text('reason', PATH),
			})),
		},
		left: {
			workDirectory: fields.text('workDirectory', PATH),
			after: fields.text('after'),
			before: fields.text('before'),
			clock: fields.text('clock') === 'server' ? 'server' : 'client',
			tables: tables.map((table) => {
				const path = table.text('path', PATH)
				const scheme = parseProtoText(table.text('scheme', TEXT), where)
				const schema = tableSchemaOf(scheme, path)
				const ranges = partitionRangesOf(scheme, schema)
				if (ranges === undefined) throw complaint(where)(`has partitions of ${path} that cannot be read`)
				return { path, scheme, schema, ranges }
			}),
			copies: tables.map((table) => ({
				path: table.text('path', PATH),
				name: table.text('name'),
				identity: table.text('identity'),
			})),
		},
	}
}

export function encodeParts(parts: readonly ManifestFile[]): Uint8Array {
	return encode('run-parts', { parts: parts.map((file): JsonValue => ({ ...file })) })
}

/** Data files of an unencrypted backup that were written. Errors: `FORMAT_INVALID`. */
export function decodeParts(bytes: Uint8Array, where: string): ManifestFile[] {
	const hash = { like: [/^[0-9a-f]{64}$/u, 'SHA-256'] as const }
	return decode('run-parts', bytes, where)
		.list('parts')
		.map((part) => ({
			key: part.text('key'),
			size: part.count('size'),
			sha256: part.text('sha256', hash),
			plainSize: part.count('plainSize'),
			plainSha256: part.text('plainSha256', hash),
			role: 'data',
			object: part.text('object'),
			partition: part.count('partition'),
			rows: part.count('rows'),
			rowHash: part.text('rowHash', { like: [/^rh\d+:[0-9a-f]{1,128}$/u, 'hash of rows'] }),
			provenance: 'streamed',
		}))
}

function encode(kind: string, value: Readonly<Record<string, JsonValue>>): Uint8Array {
	return Buffer.from(canonicalJson({ ydbackup: kind, version: 1, ...value }))
}

function decode(kind: string, bytes: Uint8Array, where: string): Fields {
	const complain = complaint(where)
	const fields = new Fields(parseJson(bytes, { maxBytes: MAX_BYTES }, complain), '', complain)
	if (fields.text('ydbackup') !== kind) throw complain(`is no ${kind}`)
	if (fields.count('version') !== 1) throw complain('was written by a newer version')
	return fields
}

function complaint(where: string): (what: string, cause?: unknown) => BackupError {
	return (what, cause) =>
		new BackupError('FORMAT_INVALID', `${where} ${what}`, { advice: 'take the backup again', cause })
}
