import {
	bareType,
	BackupError,
	type Column,
	protoFields,
	type ProtoText,
	type ProtoValue,
	protoMessage,
	protoString,
	spellType,
	type TableSchema,
} from '@ydbackup/core'
import { typeFromText } from '@ydbackup/rows'

/**
 * Columns and key of a `Ydb.Table.CreateTableRequest` (`scheme.pb`). `path` names the table in errors: `TYPE_UNKNOWN` naming the column,
 * `FORMAT_INVALID` for a table that cannot be.
 */
export function tableSchemaOf(scheme: ProtoText, path: string): TableSchema {
	const columns: Column[] = []
	const names = new Set<string>()
	for (const value of protoFields(scheme, 'columns')) {
		const column = readColumn(value, path)
		if (names.has(column.name)) throw schemeInvalid(path, `column ${JSON.stringify(column.name)} is there twice`)
		names.add(column.name)
		columns.push(column)
	}
	if (columns.length === 0) throw schemeInvalid(path, 'it has no columns')

	const primaryKey: string[] = []
	for (const value of protoFields(scheme, 'primary_key')) {
		const name = textOf([{ name: 'key', value }], 'key', path)
		if (!names.has(name)) throw schemeInvalid(path, `its key column ${JSON.stringify(name)} is no column`)
		if (primaryKey.includes(name)) throw schemeInvalid(path, `its key has column ${JSON.stringify(name)} twice`)
		primaryKey.push(name)
	}
	if (primaryKey.length === 0) throw schemeInvalid(path, 'it has no primary key')
	return { columns, primaryKey }
}

export function schemeInvalid(path: string, what: string): BackupError {
	return new BackupError('FORMAT_INVALID', `the scheme of ${path}: ${what}`, {
		advice: 'its scheme.pb is damaged, or was written by something newer; take the backup from another copy',
	})
}

function readColumn(value: ProtoValue, path: string): Column {
	const fields = value.kind === 'message' ? value.fields : []
	const name = textOf(fields, 'name', path)
	if (name === '') throw schemeInvalid(path, 'a column has no name')
	const type = typeFromText(protoMessage(fields, 'type'))
	const bare = bareType(type)
	if (bare.kind === 'unknown' || bare.kind === 'optional') {
		throw new BackupError(
			'TYPE_UNKNOWN',
			`${path}: column "${name}" has type ${spellType(type)}, which this version does not know`,
			{
				advice: 'use a newer version of ydbackup, or leave the table out with --exclude',
			},
		)
	}
	return { name, type }
}

function textOf(fields: ProtoText, name: string, path: string): string {
	try {
		return protoString(fields, name) ?? ''
	} catch {
		throw schemeInvalid(path, `a name is not UTF-8`)
	}
}
