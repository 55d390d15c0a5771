/** A text between single quotes, as YQL wants it. Source: YDB's documentation, lexical structure. */
export function quoteText(text: string): string {
	return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
