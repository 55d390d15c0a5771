import { BackupError } from '@ydbackup/core'

/** A `create_*.sql` file of a dump. */
export interface SqlFile {
	/** The database it is from; newer dumps say it. */
	readonly database: string | undefined
	/** The path that was dumped: what is below it goes below the place of the restore. */
	readonly root: string | undefined
	/** The statements, without the two comments. */
	readonly text: string
}

const LINE = /^--[ \t]*(database|backup root)[ \t]*:[ \t]*"(.*)"[ \t]*\r?$/iu

/**
 * Reads the comments at the beginning of a statement's file, old (`-- backup root:` alone) and new (`-- database:` too, in either order), and
 * none at all. Errors: `FORMAT_INVALID` for what is not UTF-8 or has no statement, naming `file`.
 */
export function readSqlFile(bytes: Uint8Array, file: string): SqlFile {
	let lines: string[]
	try {
		lines = new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('\n')
	} catch (error) {
		throw invalid(file, 'it is not UTF-8', error)
	}
	const said = new Map<string, string>()
	let at = 0
	for (; at < lines.length; at++) {
		const line = lines[at]!
		const match = LINE.exec(line)
		const name = match?.[1]?.toLowerCase()
		if (name !== undefined && !said.has(name)) said.set(name, match![2]!)
		else if (line.trim() !== '') break
	}
	const text = lines.slice(at).join('\n')
	if (!/\bcreate\b/iu.test(text)) throw invalid(file, 'it has no CREATE statement')
	return { database: said.get('database'), root: said.get('backup root'), text }
}

/** The file of statements that were read in `database`; `root` is the directory that the whole was taken of. */
export function printSqlFile(
	text: string,
	{ database, root }: { readonly database: string; readonly root: string },
): string {
	return `-- database: "${database}"\n-- backup root: "${root}"\n${text.trimEnd()}\n`
}

function invalid(file: string, what: string, cause?: unknown): BackupError {
	return new BackupError('FORMAT_INVALID', `${file}: ${what}`, {
		advice: 'the file is damaged; take the dump again, or leave the object out',
		cause,
	})
}
