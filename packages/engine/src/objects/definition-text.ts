import { BackupError, type DefinedKind, type ObjectDefinition, protoField } from '@ydbackup/core'
import { dumpLayout, parseProtoText, printProtoText, yql } from '@ydbackup/format'

export interface TextPlace {
	/** Of the database that it is from. */
	readonly database: string
	/** The directory that was taken; the database itself for a backup. */
	readonly root: string
}

/** What stands in the file that makes an object. */
export function printDefinition(definition: ObjectDefinition, place: TextPlace): string {
	if (definition.form === 'message') return printProtoText(definition.message)
	return dumpLayout.printSqlFile(definition.text, place)
}

/** A definition as a file gives it. */
export interface ReadDefinition {
	readonly definition: ObjectDefinition
	/** What a file of statements says of where it is from. */
	readonly place: Partial<TextPlace>
}

/**
 * Reads the file that makes an object, and believes nothing: statements must make one object of that kind and do nothing else. Errors:
 * `FORMAT_INVALID` naming the file.
 */
export function readDefinition(bytes: Uint8Array, kind: DefinedKind, file: string): ReadDefinition {
	if (kind === 'topic' || kind === 'coordination-node') {
		const message = parseProtoText(bytes, file)
		const set = ['path', 'operation_params', 'session_id'].find((name) => protoField(message, name) !== undefined)
		if (set !== undefined) {
			throw new BackupError('FORMAT_INVALID', `${file}: it has the field ${set}, which no backup has`, {
				advice: 'the file is damaged, or somebody changed it; leave the object out',
			})
		}
		return { definition: { form: 'message', message }, place: {} }
	}
	const { database, root, text } = dumpLayout.readSqlFile(bytes, file)
	yql.readCreateStatement(text, kind, file)
	return {
		definition: { form: 'statements', text },
		place: { ...(database !== undefined && { database }), ...(root !== undefined && { root }) },
	}
}
