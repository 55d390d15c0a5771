import { readFileSync } from 'node:fs'

/** A statement without what changes from one to the next: names `…`, numbers 0, texts '…', lists of names one name; one for each action. */
export function normalised(text: string): string[] {
	const plain = text
		.replaceAll(/`(?:\\.|[^`\\])*`/g, '`…`')
		.replaceAll(/'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"/g, "'…'")
		.replaceAll(/(?<![\w…])-?\d+(?:\.\d+)?/g, '0')
		.replaceAll(/((?:TABLE )?`…`)(?:, \1)+/g, '$1')
		.replaceAll(/(ADD COLUMN `…`) \w+(?:\([^)]*\))?/g, '$1 T')
		.replaceAll(/\s+/g, ' ')
		.trim()
	// What makes an object is its owner's, in the words of whoever made it: only its kind is the tool's matter.
	const [, made] =
		/(?:^|; )(CREATE (?:OR REPLACE )?(?:VIEW|EXTERNAL \w+(?: SOURCE)?|ASYNC REPLICATION|TRANSFER)) /.exec(plain) ?? []
	if (made !== undefined) return [`${made} …;`]
	const [, table, actions] = /^(ALTER TABLE `…` )(.*);$/.exec(plain) ?? []
	return table === undefined ? [plain] : actions!.split(', ').map((action) => `${table}${action};`)
}

/** The committed list, as code stands between bars. */
export function committedStatements(): string[] {
	const page = readFileSync(new URL('../../STATEMENTS.md', import.meta.url), 'utf8')
	return [...page.matchAll(/^\| ``? ?(.+?) ?``? +\| /gm)].map(([, statement]) => statement!)
}

/** What the tool sends to an emulator. */
export class Statements {
	readonly heard: Set<string> = new Set()
	readonly onQuery = (text: string, application: string | undefined): void => {
		if (application !== 'ydbackup') return
		for (const statement of normalised(text)) this.heard.add(statement)
	}

	/** Fails when the tool sent what the list does not have. */
	check(): void {
		const known = new Set(committedStatements())
		const unknown = [...this.heard].filter((statement) => !known.has(statement))
		if (unknown.length > 0) throw new Error(`not in packages/ydb/STATEMENTS.md: ${unknown.join('\n')}`)
	}
}
