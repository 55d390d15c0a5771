import {
	bareType,
	BackupError,
	protoField,
	protoFields,
	protoString,
	type ProtoText,
	spellType,
	type TableSchema,
} from '@ydbackup/core'
import { changes as changeFormat, tableSchemaOf } from '@ydbackup/format'

/** What a shipped link must know of the one before it. */
export interface ParentTable {
	readonly scheme: ProtoText
	/** Ids inside the cluster → names of columns; empty when none are known, as after a full backup. */
	readonly columns: changeFormat.ColumnMap
}

const FULL = 'take a full backup of the collection: a new chain begins with it'

function changed(path: string, what: string, cause?: unknown): BackupError {
	return new BackupError('CHAIN_BROKEN', `${path}: ${what}`, { reason: 'schema-changed', advice: FULL, cause })
}

/**
 * The scheme that a table had at the end of a link. The change table tells its columns; all else (what may be NULL, indexes, TTL) is told
 * by the table as it is now, or as it was at the link before: by the first of both that has the same columns.
 *
 * Errors: `CHAIN_BROKEN` (`schema-changed`) when neither has, when the key is another one, and when rows have got values that no change
 * speaks of (a new column with a default value).
 */
export function schemeAtLink(
	path: string,
	changeTable: TableSchema,
	parent: ParentTable,
	live: ProtoText | undefined,
): ProtoText {
	const before = tableSchemaOf(parent.scheme, path)
	const names = typesOf(changeTable)
	if (spellKey(before) !== spellKey(changeTable)) {
		throw changed(path, `its key was (${spellKey(before)}) and is (${spellKey(changeTable)}) in this link`)
	}
	const fits = [live, parent.scheme].find((scheme) => {
		if (scheme === undefined) return false
		const schema = tableSchemaOf(scheme, path)
		return sameTypes(typesOf(schema), names) && spellKey(schema) === spellKey(before) && sameNulls(schema, before)
	})
	if (fits === undefined) {
		throw changed(
			path,
			`its columns in this link (${[...names.keys()].join(', ')}) are neither those of the link before nor those that it has now`,
		)
	}
	const old = typesOf(before)
	for (const value of protoFields(fits, 'columns')) {
		if (value.kind !== 'message') continue
		const name = protoString(value.fields, 'name') ?? ''
		if (old.get(name) === names.get(name)) continue
		const schema = tableSchemaOf(fits, path).columns.find((column) => column.name === name)
		const hasDefault = ['from_literal', 'from_sequence'].some((field) => protoField(value.fields, field) !== undefined)
		if (!hasDefault && schema?.type.kind === 'optional') continue
		throw changed(path, `column ${name} was added with a value for rows that were there, and no change speaks of it`)
	}
	return fits
}

/**
 * The ids of a link's columns, to be written down. Ids are never used twice inside a table, so a column of the same name and type with
 * another id is another column, whose old values are gone; so is one that has moved behind its fellows. Errors: `CHAIN_BROKEN`
 * (`schema-changed`).
 */
export function columnsAtLink(
	path: string,
	changeTable: TableSchema,
	parent: ParentTable,
	found: changeFormat.ColumnMap | undefined,
): changeFormat.ColumnMap {
	const before = tableSchemaOf(parent.scheme, path)
	const old = typesOf(before)
	const types = typesOf(changeTable)
	const known = new Map([...parent.columns].map(([id, name]) => [name, id]))
	for (const [id, name] of found ?? []) {
		const was = known.get(name)
		if (was === undefined || was === id || old.get(name) !== types.get(name)) continue
		throw changed(path, `column ${name} was dropped and added again (its id was ${was} and is ${id} now)`)
	}
	if (parent.columns.size === 0) {
		const stay = (schema: TableSchema, others: ReadonlyMap<string, string>): string[] => {
			const own = typesOf(schema)
			return changeFormat.valueColumns(schema).filter((name) => own.get(name) === others.get(name))
		}
		const now = stay(changeTable, old)
		const moved = stay(before, types).find((name, index) => name !== now[index])
		if (moved !== undefined) throw changed(path, `column ${moved} or one behind it was dropped and added again`)
	}
	if (found !== undefined) return found
	const same = [...parent.columns.values()].every((name) => types.has(name) && types.get(name) === old.get(name))
	return same && parent.columns.size === changeFormat.valueColumns(changeTable).length ? parent.columns : new Map()
}

function typesOf({ columns }: TableSchema): Map<string, string> {
	return new Map(
		columns.flatMap(({ name, type }) =>
			name === changeFormat.METADATA_COLUMN ? [] : [[name, spellType(bareType(type))] as const],
		),
	)
}

function spellKey(schema: TableSchema): string {
	const types = typesOf(schema)
	return schema.primaryKey.map((name) => `${name} ${types.get(name)}`).join(', ')
}

function sameTypes(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
	return a.size === b.size && [...a].every(([name, type]) => b.get(name) === type)
}

/** Columns that both have may be NULL in both, or in neither. */
function sameNulls(a: TableSchema, b: TableSchema): boolean {
	const kinds = new Map(b.columns.map(({ name, type }) => [name, type]))
	return a.columns.every(({ name, type }) => {
		const other = kinds.get(name)
		return (
			other === undefined ||
			spellType(bareType(other)) !== spellType(bareType(type)) ||
			other.kind === type.kind ||
			(other.kind !== 'optional' && type.kind !== 'optional')
		)
	})
}
