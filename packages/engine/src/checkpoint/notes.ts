import { BackupError } from '@ydbackup/core'
import { canonicalJson, Fields, type JsonValue, parseJson } from '@ydbackup/format'

import type { RowFacts } from '../part/read-part.ts'
import type { Problem } from '../restore/restore-options.ts'
import type { Entry } from './checkpoint-table.ts'

/** What was asked of a restore: who goes on with it must ask for the same. */
export interface RestoreRequest {
	/** RFC 3339. */
	readonly startedAt: string
	/** The backup's id, or where the files lie. */
	readonly title: string
	/** SHA-256 of all that is restored: places, schemes, files with their sizes and hashes. */
	readonly contents: string
	/** By the names of their flags, each as JSON. */
	readonly settings: Readonly<Record<string, string>>
}

/** How far a table is. Written before its first row. */
export interface TableNote {
	/** It stood there before, and is written to. */
	readonly existed: boolean
	/** Where the new table and the former one are until it has taken its place; undefined when it replaces none. */
	readonly staging?: string | undefined
	readonly aside?: string | undefined
	/** Of the table that the rows go to; undefined until it is there. */
	readonly identity?: string | undefined
	readonly stage: 'waiting' | 'created' | 'filled'
	/** The new table has taken the place of the former one. */
	readonly isSwapped: boolean
	readonly isCompared: boolean
	readonly rows: number
	readonly rowHash?: string | undefined
	readonly changefeeds: readonly string[]
	/** Hex: of a table whose rows come in key order, all up to this key are in the database. */
	readonly reached?: string | undefined
}

export interface ObjectNote {
	readonly existed: boolean
	readonly isFinished: boolean
	readonly parts: readonly string[]
}

/** All that a checkpoint holds, but for its owner. */
export interface Notes {
	readonly request: RestoreRequest
	/** By target. */
	readonly tables: ReadonlyMap<string, TableNote>
	readonly objects: ReadonlyMap<string, ObjectNote>
	/** Directories that were not there when the run began. */
	readonly directories: ReadonlySet<string>
	/** By key: data files whose rows are all in the database. */
	readonly parts: ReadonlyMap<string, RowFacts>
	readonly steps: ReadonlySet<string>
	readonly problems: readonly Problem[]
}

const VERSION = 1
const MAX_BYTES = 64 << 20
const PATH = { max: 16_384 }
const LONG = { max: 1 << 20 }
const STAGES = ['waiting', 'created', 'filled'] as const

const entry = (name: string, value: object): Entry => [name, canonicalJson(value as JsonValue)]

export const requestEntry = (request: RestoreRequest): Entry =>
	entry('request', { ydbackup: 'restore-checkpoint', version: VERSION, ...request })
export const tableEntry = (target: string, note: TableNote): Entry => entry(`table/${target}`, note)
export const objectEntry = (target: string, note: ObjectNote): Entry => entry(`object/${target}`, note)
export const directoryEntry = (path: string): Entry => entry(`directory/${path}`, {})
export const partEntry = (key: string, facts: RowFacts): Entry => entry(`part/${key}`, facts)
export const stepEntry = (step: string): Entry => entry(`step/${step}`, {})
export const problemsEntry = (problems: readonly Problem[]): Entry => entry('problems', { problems })

/**
 * Reads what lies in a checkpoint; undefined when its run had not begun to write. Entries that this version does not know are passed over. Errors:
 * `FORMAT_INVALID` naming `where`.
 */
export function readNotes(entries: readonly Entry[], where: string): Notes | undefined {
	const groups = Map.groupBy(entries, ([name]) => name.split('/', 1)[0])
	const read = <T>(group: string, decode: (fields: Fields) => T): Map<string, T> =>
		new Map(
			(groups.get(group) ?? []).map(([name, data]) => [
				name.slice(group.length + 1),
				decode(open(data, `${where} (${name})`)),
			]),
		)
	const request = read('request', decodeRequest).get('')
	if (request === undefined) return undefined
	return {
		request,
		tables: read('table', decodeTable),
		objects: read('object', (fields) => ({
			existed: fields.flag('existed'),
			isFinished: fields.flag('isFinished'),
			parts: fields.texts('parts', PATH),
		})),
		directories: new Set(read('directory', () => undefined).keys()),
		parts: read('part', decodeFacts),
		steps: new Set(read('step', () => undefined).keys()),
		problems:
			read('problems', (fields) =>
				fields.list('problems').map((one) => ({ path: one.text('path', PATH), message: one.text('message', LONG) })),
			).get('') ?? [],
	}
}

function decodeRequest(fields: Fields): RestoreRequest {
	if (fields.text('ydbackup') !== 'restore-checkpoint') throw fields.bad('ydbackup', 'is no checkpoint of a restore')
	if (fields.count('version') !== VERSION) throw fields.bad('version', 'is that of a newer version')
	return {
		startedAt: fields.text('startedAt'),
		title: fields.text('title', PATH),
		contents: fields.text('contents', { like: [/^[0-9a-f]{64}$/u, 'SHA-256'] }),
		settings: fields.textRecord('settings', LONG),
	}
}

function decodeTable(fields: Fields): TableNote {
	const stage = STAGES.find((known) => known === fields.text('stage'))
	if (stage === undefined) throw fields.bad('stage', 'is none that this version knows')
	return {
		existed: fields.flag('existed'),
		staging: fields.textIf('staging', PATH),
		aside: fields.textIf('aside', PATH),
		identity: fields.textIf('identity'),
		stage,
		isSwapped: fields.flag('isSwapped'),
		isCompared: fields.flag('isCompared'),
		rows: fields.count('rows'),
		rowHash: fields.textIf('rowHash'),
		changefeeds: fields.texts('changefeeds', PATH),
		reached: fields.textIf('reached', { max: 4 << 20, like: [/^(?:[0-9a-f]{2})+$/u, 'key in hex'] }),
	}
}

function decodeFacts(fields: Fields): RowFacts {
	return {
		sha256: fields.text('sha256'),
		plainSha256: fields.text('plainSha256'),
		rows: fields.count('rows'),
		rowHash: fields.text('rowHash'),
		plainBytes: fields.count('plainBytes'),
	}
}

function open(data: string, where: string): Fields {
	const complain = (what: string, cause?: unknown): BackupError =>
		new BackupError('FORMAT_INVALID', `${where} ${what}`, {
			advice: 'use the version of ydbackup that began the restore, or begin anew with --restart',
			cause,
		})
	return new Fields(parseJson(Buffer.from(data), { maxBytes: MAX_BYTES }, complain), '', complain)
}
