import { type CreateStatement, significant, textOf } from './statements.ts'
import { quoteName, quoteText, type Token } from './tokens.ts'

/** Absolute paths, all of them. */
export interface PathRewrite {
	/** Where the statement is from: what relative paths begin with. */
	readonly database: string
	/** Where it goes: what relative paths begin with there. */
	readonly targetDatabase: string
	/** What the object is to be called. */
	readonly target: string
	/** Where an object that the statement names is to be found. */
	readonly reference: (path: string) => string
	/** Where the objects below a directory are to be found. */
	readonly directory: (path: string) => string
}

/** A path in a statement, and how to write another one in its place. */
interface Reference {
	readonly at: number
	readonly path: string
	write(path: string): string
}

const FROM = new Set(['FROM', 'JOIN'])

/**
 * The statements with their object at another path, and with the paths of what they use. Source of the rules: `query_utils.cpp` and `view_utils.cpp`
 * in ydb/public/lib/ydb_cli/dump/util. Differences: paths of another database (what a replication reads) stay, and the data source of an
 * external table moves too. Paths that a view puts together while it runs are re-based by `TablePathPrefix` alone.
 */
export function rewritePaths(statement: CreateStatement, rewrite: PathRewrite): string {
	const { kind, tokens, nameAt, context } = statement
	const found = context.map((each) => prefixOf(each)).find((value) => value !== undefined)
	const prefix = absolute(found ?? '', rewrite.database)
	const newPrefix = rewrite.directory(prefix)
	const isView = kind === 'view'
	const written = context.map((each) => {
		if (isView && prefixOf(each) !== undefined) return `PRAGMA TablePathPrefix = ${quoteText(newPrefix)}`
		return textOf(isView ? replaced(each, rewriteAll(namesIn(each))) : each)
	})
	if (isView && found === undefined && newPrefix !== rewrite.targetDatabase)
		written.unshift(`PRAGMA TablePathPrefix = ${quoteText(newPrefix)}`)
	const own = new Map([[nameAt, quoteName(rewrite.target)]])
	const text = textOf(replaced(tokens, new Map([...rewriteAll(referencesOf(statement)), ...own])))
	return [...written, text].map((each) => `${each};\n`).join('')

	function rewriteAll(references: readonly Reference[]): Map<number, string> {
		const changed = new Map<number, string>()
		for (const { at, path, write } of references) {
			const after = rewrite.reference(absolute(path, prefix))
			if (after !== absolute(path, newPrefix)) changed.set(at, write(after))
		}
		return changed
	}
}

/** Absolute paths that a statement names, each once: what must be there before it. */
export function pathsUsed(statement: CreateStatement, database: string): string[] {
	const prefix = absolute(statement.context.map(prefixOf).find((value) => value !== undefined) ?? '', database)
	const inContext = statement.kind === 'view' ? statement.context.flatMap(namesIn) : []
	const references = [...inContext, ...referencesOf(statement)]
	return Array.from(new Set(references.map(({ path }) => absolute(path, prefix))))
}

/** Names of secrets that a statement needs. */
export function secretsUsed({ tokens }: CreateStatement): string[] {
	const words = significant(tokens)
	return words.flatMap(({ token }, at) => {
		const isSecret = token.kind === 'word' && /_SECRET_(?:NAME|PATH)$/u.test(token.value)
		const value = words[at + 2]?.token
		return isSecret && words[at + 1]?.token.text === '=' && value?.kind === 'string' ? [value.value] : []
	})
}

function referencesOf({ kind, tokens, nameAt }: CreateStatement): Reference[] {
	const words = significant(tokens).filter(({ at }) => at > nameAt)
	if (kind === 'view') return namesIn(tokens).filter(({ at }) => at > nameAt)
	if (kind === 'external-table') return optionOf(words, 'DATA_SOURCE')
	const secrets = secretPaths(words)
	if (kind === 'replication') return [...words.flatMap((_, at) => nameAfter(words, at, 'AS')), ...secrets]
	if (kind !== 'transfer') return secrets
	const isLocal = optionOf(words, 'CONNECTION_STRING').length === 0
	const end = words.findIndex(({ token }) => token.value === 'USING' && token.kind === 'word')
	const head = words.slice(0, end < 0 ? words.length : end)
	const tables = head.flatMap((_, at) => [
		...nameAfter(head, at, 'TO'),
		...(isLocal ? nameAfter(head, at, 'FROM') : []),
	])
	return [...tables, ...secrets]
}

type Words = ReturnType<typeof significant>

/** Names behind FROM and JOIN, and everything between backticks that begins with a slash. */
function namesIn(tokens: readonly Token[]): Reference[] {
	const words = significant(tokens)
	return words.flatMap(({ token, at: place }, at): Reference[] => {
		if (token.kind === 'name' && token.value.startsWith('/')) return [nameAt(place, token.value)]
		const before = words[at - 1]?.token
		const isSource = before?.kind === 'word' && FROM.has(before.value) && words[at - 2]?.token.value !== 'DISTINCT'
		if (!isSource || (token.kind !== 'name' && token.kind !== 'word')) return []
		const next = words[at + 1]?.token.text
		// A function such as AS_TABLE, or the keyword of a subquery.
		if (next === '(' || next === '.' || (token.kind === 'word' && /^(?:SELECT|ANY)$/u.test(token.value))) return []
		return [nameAt(place, token.kind === 'name' ? token.value : token.text)]
	})
}

function nameAfter(words: Words, at: number, word: string): Reference[] {
	const { token } = words[at]!
	const next = words[at + 1]
	if (token.kind !== 'word' || token.value !== word || (next?.token.kind !== 'name' && next?.token.kind !== 'word'))
		return []
	return [nameAt(next.at, next.token.kind === 'name' ? next.token.value : next.token.text)]
}

function nameAt(at: number, path: string): Reference {
	return { at, path, write: quoteName }
}

/** Secrets that stand in the scheme: nobody restores them, they move with the database alone. */
const secretPaths = (words: Words): Reference[] => optionOf(words, /_SECRET_PATH$/u)

/** `KEY = 'text'` */
function optionOf(words: Words, key: string | RegExp): Reference[] {
	return words.flatMap(({ token }, at): Reference[] => {
		const value = words[at + 2]
		const isKey = typeof key === 'string' ? token.value === key : key.test(token.value)
		const isIt = token.kind === 'word' && isKey && words[at + 1]?.token.text === '='
		return isIt && value?.token.kind === 'string' ? [{ at: value.at, path: value.token.value, write: quoteText }] : []
	})
}

/** The value of `PRAGMA TablePathPrefix`; undefined for every other statement. */
function prefixOf(tokens: readonly Token[]): string | undefined {
	const words = significant(tokens).map(({ token }) => token)
	if (words[0]?.value !== 'PRAGMA' || words[1]?.value !== 'TABLEPATHPREFIX') return undefined
	return words.find(({ kind }) => kind === 'string')?.value
}

function absolute(path: string, prefix: string): string {
	if (path.startsWith('/')) return path.replace(/(?<=.)\/+$/u, '')
	return path === '' ? prefix : `${prefix}/${path}`
}

function replaced(tokens: readonly Token[], changed: ReadonlyMap<number, string>): Token[] {
	return tokens.map((token, at) => ({ ...token, text: changed.get(at) ?? token.text }))
}
