import { BackupError, type Change, type Column, type TableSchema } from '@ydbackup/core'
import { concatBytes, keyColumns, lengthDelimited, TAG_ITEMS } from '@ydbackup/rows'
import { quotePath } from '../call/query.ts'

/** One statement with rows for its parameter `$rows`. */
export interface ChangeStatement {
	readonly text: string
	readonly columns: readonly Column[]
	/** `items` frames of the list, side by side. */
	readonly rowFrames: Uint8Array
	readonly rows: number
}

/** Bytes of rows in one request; far below YDB's limit of a message (64 MiB) and of a statement's parameters (50 MB). */
const MOST_BYTES = 4 << 20
const MOST_ROWS = 1000

/**
 * Changes → statements of each operation's own meaning. `live` is the table as it stands, whose types the values are sent as: a
 * value that may be NULL is refused for a column that may not.
 *
 * - erase: `DELETE … ON`, which is silent about rows that are not there;
 * - replace: `REPLACE`, so that columns that are not named become NULL;
 * - upsert: `UPSERT` of the named columns, or `UPDATE … ON` where a column that must have a value is not named: such a change can only
 *   be of a row that is there, and YDB refuses the UPSERT.
 *
 * Changes of one key never meet here (one change per key and link), so the order of statements does not matter.
 */
export function changeStatements(path: string, live: TableSchema, changes: readonly Change[]): ChangeStatement[] {
	const keys = keyColumns(live).map((index) => live.columns[index]!)
	const byName = new Map(live.columns.map((column) => [column.name, column]))
	const keyNames = new Set(live.primaryKey)
	const mandatory = live.columns.filter(({ name, type }) => !keyNames.has(name) && type.kind !== 'optional')
	const groups = new Map<string, { text: string; columns: readonly Column[]; frames: Uint8Array[] }>()

	for (const change of changes) {
		const named = change.op === 'erase' ? [] : change.columns
		const columns = named.map(({ name }) => columnOf(path, byName, name))
		const verb = verbOf(change.op, new Set(columns), mandatory)
		const id = `${verb} ${named.map(({ name }) => name).join('\0')}`
		const group = groups.get(id) ?? {
			text: statementOf(verb, path, [...keys, ...columns]),
			columns: [...keys, ...columns],
			frames: [],
		}
		groups.set(id, group)
		const cells = [change.key, ...named.map(({ value }) => lengthDelimited(TAG_ITEMS, value))]
		group.frames.push(lengthDelimited(TAG_ITEMS, concatBytes(cells)))
	}
	return Array.from(groups.values()).flatMap(({ text, columns, frames }) =>
		cut(frames).map((some) => ({ text, columns, rowFrames: concatBytes(some), rows: some.length })),
	)
}

type Verb = 'DELETE' | 'REPLACE' | 'UPSERT' | 'UPDATE'

function verbOf(op: Change['op'], columns: ReadonlySet<Column>, mandatory: readonly Column[]): Verb {
	if (op === 'erase') return 'DELETE'
	if (op === 'replace') return 'REPLACE'
	return mandatory.every((column) => columns.has(column)) ? 'UPSERT' : 'UPDATE'
}

function statementOf(verb: Verb, path: string, columns: readonly Column[]): string {
	const table = quotePath(path)
	const names = columns.map(({ name }) => quotePath(name)).join(', ')
	const rows = `SELECT ${names} FROM AS_TABLE($rows)`
	return verb === 'DELETE' || verb === 'UPDATE'
		? `${verb === 'DELETE' ? 'DELETE FROM' : 'UPDATE'} ${table} ON ${rows};`
		: `${verb} INTO ${table} (${names}) ${rows};`
}

function columnOf(path: string, columns: ReadonlyMap<string, Column>, name: string): Column {
	const column = columns.get(name)
	if (column) return column
	throw new BackupError('CHAIN_BROKEN', `a change names the column ${name}, which ${path} has not`, {
		reason: 'schema-changed',
		advice: 'restore to another path, or to an earlier link',
	})
}

/** In pieces that one request can carry. A row above the limit goes alone. */
function cut(frames: readonly Uint8Array[]): Uint8Array[][] {
	const pieces: Uint8Array[][] = []
	let bytes = 0
	for (const frame of frames) {
		const last = pieces.at(-1)
		if (last === undefined || last.length >= MOST_ROWS || bytes + frame.length > MOST_BYTES) {
			pieces.push([frame])
			bytes = frame.length
		} else {
			last.push(frame)
			bytes += frame.length
		}
	}
	return pieces
}
