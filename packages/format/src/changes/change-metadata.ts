import { BackupError } from '@ydbackup/core'
import {
	concatBytes,
	lengthDelimited,
	readVarint,
	skipField,
	varintEnd,
	varintLength,
	writeVarint,
} from '@ydbackup/rows'

/** The column of a change table that says what the row means. Source: `ydb/core/protos/datashard_backup.proto`. */
export const METADATA_COLUMN = '__ydb_incrBackupImpl_changeMetadata'

/** What a change says of one column that is not of the key. */
export interface ColumnState {
	/** The id that the column had inside the cluster when the change was recorded. */
	readonly tag: number
	readonly isNull: boolean
	readonly isChanged: boolean
}

/** A decoded `NKikimrBackup.TChangeMetadata`. */
export interface ChangeMetadata {
	readonly isDeleted: boolean
	readonly states: readonly ColumnState[]
}

/** More columns than any table of YDB has (its limit is 200 by default): what is longer is damage. */
const MAX_STATES = 10_000

/** Reads the cell of {@link METADATA_COLUMN}. Throws `FORMAT_INVALID` when it is no such message; unknown fields are passed over. */
export function readChangeMetadata(b: Uint8Array): ChangeMetadata {
	const states: ColumnState[] = []
	const isDeleted = walkChangeMetadata(b, (tag, isNull, isChanged) => states.push({ tag, isNull, isChanged }))
	return { isDeleted, states }
}

type VisitState = (tag: number, isNull: boolean, isChanged: boolean) => void

/** As {@link readChangeMetadata}, state by state. Returns whether the row is deleted. */
export function walkChangeMetadata(b: Uint8Array, visit: VisitState): boolean {
	try {
		return walkMessage(b, visit)
	} catch (error) {
		throw new BackupError('FORMAT_INVALID', `the metadata of a change cannot be read: ${(error as Error).message}`, {
			advice: 'the link was damaged, or a version of YDB wrote it that this version does not know',
			cause: error,
		})
	}
}

function walkMessage(b: Uint8Array, visit: VisitState): boolean {
	let states = 0
	let isDeleted = false
	for (let p = 0; p < b.length;) {
		const tag = readVarint(b, p, b.length)
		p = varintEnd
		const end = skipField(b, p, b.length, tag)
		if (tag === 0x0a) {
			if (++states > MAX_STATES) throw new Error(`it tells of more than ${MAX_STATES} columns`)
			readVarint(b, p, end)
			walkState(b, varintEnd, end, visit)
		} else if (tag === 0x10) isDeleted = readVarint(b, p, end) !== 0
		p = end
	}
	return isDeleted
}

function walkState(b: Uint8Array, start: number, end: number, visit: VisitState): void {
	let id = 0
	let isNull = false
	let isChanged = false
	for (let p = start; p < end;) {
		const tag = readVarint(b, p, end)
		p = varintEnd
		const next = skipField(b, p, end, tag)
		if (tag === 0x08) id = readVarint(b, p, next)
		else if (tag === 0x10) isNull = readVarint(b, p, next) !== 0
		else if (tag === 0x18) isChanged = readVarint(b, p, next) !== 0
		p = next
	}
	visit(id, isNull, isChanged)
}

/** The bytes of the message, every field of a state written out, as YDB's writer does. */
export function writeChangeMetadata({ isDeleted, states }: ChangeMetadata): Uint8Array {
	const parts = states.map(({ tag, isNull, isChanged }) => {
		const state = new Uint8Array(5 + varintLength(tag))
		state[0] = 0x08
		const p = writeVarint(state, 1, tag)
		state.set([0x10, Number(isNull), 0x18, Number(isChanged)], p)
		return lengthDelimited(0x0a, state)
	})
	return concatBytes([...parts, new Uint8Array([0x10, Number(isDeleted)])])
}
