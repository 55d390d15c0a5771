import type { SchemeTree } from '../scheme/tree.ts'
import { Transaction } from '../store/transaction.ts'
import type { SchemeChange } from '../yql/ddl.ts'
import { schemeChanges } from '../yql/ddl.ts'
import { parse } from '../yql/parser.ts'
import { QueryScope } from '../yql/query-scope.ts'
import { ImportError } from './import-files.ts'

/** The name after CREATE …, in backquotes. */
const NAME =
	/(CREATE\s+(?:VIEW|EXTERNAL\s+DATA\s+SOURCE|EXTERNAL\s+TABLE|ASYNC\s+REPLICATION|TRANSFER)\s+(?:IF\s+NOT\s+EXISTS\s+)?)`(?:[^`\\]|\\.)*`/i

/** What a statement of an export changes when the object is made at another path. References to other objects are left as they are: a guess. */
export function statementChanges(tree: SchemeTree, text: string, path: string): SchemeChange[] {
	if (!NAME.test(text)) throw new ImportError(`cannot parse the statement of ${path}`)
	const here = text.replace(NAME, (_, begin: string) => `${begin}\`${path.replaceAll('`', '\\`')}\``)
	const scope = new QueryScope(tree, new Transaction(tree), new Map(), { now: 0n, version: '', dry: false })
	const changes: SchemeChange[] = []
	for (const statement of parse(here)) {
		if (statement.kind === 'pragma') {
			if (statement.name.toLowerCase() === 'tablepathprefix' && statement.value !== undefined)
				scope.prefix = statement.value
		} else if (statement.kind === 'named' || statement.kind === 'assign') scope.context.push(statement.text)
		else if (statement.kind === 'object') changes.push(...schemeChanges(statement, scope))
		else throw new ImportError(`cannot parse the statement of ${path}`)
	}
	return changes
}
