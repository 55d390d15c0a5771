import { splitStatements, textOf } from './statements.ts'
import { invalid, quoteName } from './tokens.ts'

/**
 * The statements that make a view, from what the server keeps of it: the context and, last, its SELECT. Source: `BuildCreateViewQuery` in
 * ydb/public/lib/ydb_cli/dump/util/view_utils.cpp, without its reformatting. Errors: `FORMAT_INVALID` naming `path`.
 */
export function viewStatement(name: string, kept: string, path: string): string {
	const statements = splitStatements(kept, path)
	const select = statements.pop()
	if (select === undefined) throw invalid(path, 'the server keeps no query of this view')
	const context = statements.map((tokens) => `${textOf(tokens)};\n`).join('')
	return `${context}CREATE VIEW IF NOT EXISTS ${quoteName(name)} WITH (security_invoker = TRUE) AS\n${textOf(select)};\n`
}
