import { isBackupError } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type StatedKind, yql } from '../src/index.ts'

const VIEW = 'CREATE VIEW `v` WITH (security_invoker = TRUE) AS '

function refusal(text: string, kind: StatedKind = 'view'): string | undefined {
	try {
		yql.readCreateStatement(text, kind, 'create.sql')
		return undefined
	} catch (error) {
		if (isBackupError(error, 'FORMAT_INVALID')) return error.message
		throw error
	}
}

/** Everything below `/db/a` goes to `/other/z`, and nothing else is restored. */
function moved(text: string, kind: StatedKind = 'view'): string {
	return yql.rewritePaths(yql.readCreateStatement(text, kind, 'create.sql'), {
		database: '/db',
		targetDatabase: '/other',
		target: '/other/z/it',
		reference: (path) => (path.startsWith('/db/a/') ? `/other/z${path.slice(5)}` : path.replace(/^\/db/u, '/other')),
		directory: (path) => (path.startsWith('/db/a') ? `/other/z${path.slice(5)}` : path.replace(/^\/db/u, '/other')),
	})
}

test('one object is made, after pragmas and named expressions, and nothing else', () => {
	const good = [
		`${VIEW}SELECT 1`,
		`PRAGMA TablePathPrefix = "/db"; $x = (SELECT ";" FROM t); $f = ($a) -> { $b = 1; return $b; };\n${VIEW}SELECT $f(1);`,
		`-- a comment; DROP TABLE t\n/* ; */ CREATE VIEW IF NOT EXISTS v WITH security_invoker = TRUE AS SELECT 'it''s; \\'', @@a;b@@;;`,
		`--!syntax_v1\n${VIEW}SELECT 1`,
	]
	for (const text of good) expect([text, refusal(text)]).toEqual([text, undefined])
	const bad = [
		'',
		'SELECT 1',
		`${VIEW}SELECT 1; DROP TABLE t`,
		`DROP TABLE t; ${VIEW}SELECT 1`,
		`UPSERT INTO t (a) VALUES (1);${VIEW}SELECT 1;`,
		`DEFINE SUBQUERY $s() AS SELECT 1; END DEFINE; ${VIEW}SELECT 1`,
		`DO BEGIN DROP TABLE t; END DO; ${VIEW}SELECT 1`,
		'CREATE TABLE `v` (a Utf8, PRIMARY KEY (a))',
		'CREATE TRANSFER `v` FROM a TO b USING $x WITH (CONSUMER = "c")',
		'CREATE OR REPLACE VIEW v AS SELECT 1',
		`--!ansi_lexer\n${VIEW}SELECT 1`,
		`-- ends here for some\r; DROP TABLE t; --\n${VIEW}SELECT 1`,
		`${VIEW}SELECT 'not closed`,
		`${VIEW}SELECT /* not closed`,
		`${VIEW}SELECT (1`,
		`${VIEW}SELECT 1)`,
		'CREATE VIEW other.`v` AS SELECT 1',
		`$\`x\` = 1; ${VIEW}SELECT 1`,
		`${VIEW}${' '.repeat(5 << 20)}SELECT 1`,
	]
	for (const text of bad) expect([text.slice(0, 99), refusal(text)]).toEqual([text.slice(0, 99), expect.any(String)])
})

test('whatever texts and comments hold, no second statement is overlooked and none is invented', () => {
	const piece = fc.oneof(
		fc
			.string({ unit: fc.constantFrom(';', 'a', "'", '"', '`', '\\', '\n', '-', '/', '*', '@', ' ') })
			.map((inner) => `'${inner.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
		fc.string({ unit: fc.constantFrom(';', 'a', "'", '"', ' ') }).map((inner) => `\`${inner}\``),
		fc.string({ unit: fc.constantFrom(';', 'a', "'", '"', ' ', '`') }).map((inner) => `--${inner}\n`),
		fc.string({ unit: fc.constantFrom(';', 'a', "'", '"', ' ', '`', '\n') }).map((inner) => `/*${inner}*/`),
		fc.constantFrom('(', ')', '[', ']').map(() => '(;)'),
		fc.constantFrom(' a ', ' 1 ', ' $x ', ','),
	)
	fc.assert(
		fc.property(fc.array(piece), (pieces) => {
			const text = `${VIEW}SELECT ${pieces.join('')}`
			expect(refusal(text)).toBeUndefined()
			expect(refusal(`${text};DROP TABLE t`)).toEqual(expect.any(String))
			expect(refusal(`DROP TABLE t;${text}`)).toEqual(expect.any(String))
		}),
	)
})

test('paths of a view follow what is restored, relative ones too', () => {
	expect(moved(`${VIEW}SELECT * FROM \`a/t\` AS x JOIN far AS y ON x.k = y.k JOIN \`/db/a/u\` AS z USING (k)`)).toBe(
		'CREATE VIEW `/other/z/it` WITH (security_invoker = TRUE) AS SELECT * FROM `/other/z/t` AS x JOIN far AS y ON x.k = y.k JOIN `/other/z/u` AS z USING (k);\n',
	)
	expect(
		moved(
			`PRAGMA tablepathprefix('/db/a'); $s = (SELECT * FROM t VIEW by_k); ${VIEW}SELECT * FROM $s AS s JOIN AS_TABLE($x) AS t`,
		),
	).toBe(
		"PRAGMA TablePathPrefix = '/other/z';\n$s = (SELECT * FROM t VIEW by_k);\nCREATE VIEW `/other/z/it` WITH (security_invoker = TRUE) AS SELECT * FROM $s AS s JOIN AS_TABLE($x) AS t;\n",
	)
	expect(
		moved(`PRAGMA TablePathPrefix = "/db/b";${VIEW}SELECT a IS NOT DISTINCT FROM b, "/db/a/t" FROM \`/db/a/t\``),
	).toBe(
		`PRAGMA TablePathPrefix = '/other/b';\nCREATE VIEW \`/other/z/it\` WITH (security_invoker = TRUE) AS SELECT a IS NOT DISTINCT FROM b, "/db/a/t" FROM \`/other/z/t\`;\n`,
	)
})

test('what a replication reads stays, what it fills moves; so with transfers, and sources of external tables', () => {
	const replication =
		"CREATE ASYNC REPLICATION `r` FOR `/db/a/t` AS `/db/a/t`, `/db/a/u` AS `a/u` WITH (CONNECTION_STRING = 'grpc://x/?database=/db', TOKEN_SECRET_NAME = 's')"
	expect(moved(replication, 'replication')).toContain('FOR `/db/a/t` AS `/other/z/t`, `/db/a/u` AS `/other/z/u` WITH')
	const statement = yql.readCreateStatement(replication, 'replication', 'f')
	expect(yql.secretsUsed(statement)).toEqual(['s'])
	expect(yql.pathsUsed(statement, '/db')).toEqual(['/db/a/t', '/db/a/u'])
	const transfer =
		"$l = ($m) -> { return [<|a: 1|>]; }; CREATE TRANSFER `t` FROM `a/topic` TO `a/t` USING $l WITH (CONSUMER = 'c'"
	expect(moved(`${transfer})`, 'transfer')).toContain('FROM `/other/z/topic` TO `/other/z/t` USING')
	expect(moved(`${transfer}, CONNECTION_STRING = 'grpc://x/?database=/db')`, 'transfer')).toContain(
		'FROM `a/topic` TO `/other/z/t` USING',
	)
	const source =
		"CREATE EXTERNAL DATA SOURCE `s` WITH (LOCATION = '/db/a/t', PASSWORD_SECRET_PATH = '/db/keys/a', TOKEN_SECRET_NAME = '/db/a/t', X_SECRET_PATH = 'b/c', Y_SECRET_PATH = '/far/k')"
	expect(moved(source, 'external-data-source')).toContain(
		"(LOCATION = '/db/a/t', PASSWORD_SECRET_PATH = '/other/keys/a', TOKEN_SECRET_NAME = '/db/a/t', X_SECRET_PATH = 'b/c', Y_SECRET_PATH = '/far/k')",
	)
	const external = "CREATE EXTERNAL TABLE `e` (k Utf8) WITH (DATA_SOURCE = 'a/source', LOCATION = '/db/a/')"
	expect(moved(external, 'external-table')).toContain("DATA_SOURCE = '/other/z/source', LOCATION = '/db/a/'")
})

test('a view is made of what the server keeps, with its context', () => {
	expect(yql.viewStatement('na`me', 'PRAGMA A = "b";\n$x = 1; SELECT $x', 'v')).toBe(
		'PRAGMA A = "b";\n$x = 1;\nCREATE VIEW IF NOT EXISTS `na\\`me` WITH (security_invoker = TRUE) AS\nSELECT $x;\n',
	)
	expect(() => yql.viewStatement('v', ' ', 'v')).toThrow(/keeps no query/u)
})
