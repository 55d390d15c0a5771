import type { SchemeStatement } from './ast.ts'
import type { Position } from './lexer.ts'
import { parseSettings } from './parse-settings.ts'
import type { TokenCursor } from './token-cursor.ts'

type ObjectStatement = Extract<SchemeStatement, { kind: 'object' }>

/** What stands after CREATE, ALTER or DROP BACKUP COLLECTION. Source: sql_ddl_backup.cpp. */
export function parseBackupCollection(
	cursor: TokenCursor,
	verb: 'CREATE' | 'ALTER' | 'DROP',
	at: Position,
): ObjectStatement {
	// ALTER is parsed by YDB and does nothing there.
	if (verb === 'ALTER') throw cursor.unsupported('ALTER BACKUP COLLECTION')
	const name = cursor.name('a name')
	if (verb === 'DROP') return { kind: 'object', at, action: { kind: 'dropCollection', name } }
	const database = cursor.takeWord('DATABASE')
	const tables =
		!database && cursor.isSign('(')
			? cursor.list(() => {
					cursor.expectWord('TABLE')
					return cursor.name('a path')
				})
			: []
	cursor.expectWord('WITH')
	const settings = parseSettings(cursor)
	return { kind: 'object', at, action: { kind: 'createCollection', name, database, tables, settings } }
}

/** What stands after BACKUP or RESTORE. The moment of RESTORE is parsed and, as in YDB, not used. */
export function parseBackup(cursor: TokenCursor, verb: 'BACKUP' | 'RESTORE', at: Position): ObjectStatement {
	const name = cursor.name('a name')
	if (verb === 'BACKUP')
		return { kind: 'object', at, action: { kind: 'backup', name, incremental: cursor.takeWord('INCREMENTAL') } }
	if (cursor.takeWord('AT')) cursor.next()
	return { kind: 'object', at, action: { kind: 'restore', name } }
}
