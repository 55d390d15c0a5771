import { type Fact, facts, refusals } from './fact.ts'

const DOCS = "verified: YDB's documentation"
const TRANSLATOR = "verified: unit tests of YDB's translator (sql_ut)"
const TYPES = 'verified: type_ann_core.cpp'

export const QUERIES: readonly Fact[] = [
	...facts('YQL', [
		[TRANSLATOR, 'Quotes, escapes, suffixes and several lines of text literals', 'yql.test.ts: strings: quotes'],
		[TRANSLATOR, 'Precedence of AND, OR, NOT and comparisons', 'yql.test.ts: AND binds closer than OR'],
		[
			`${DOCS}, yql/reference/types`,
			'Literals of every type, with suffixes',
			'expressions.test.ts: the literal %s is a %s',
		],
		[TYPES, 'Integers wrap around; a division by zero is NULL', 'query-model.test.ts: conditions, arithmetic'],
		[
			TYPES,
			'Types that cannot be added, compared or joined are refused at their place',
			'expressions.test.ts: %s is refused: %s',
		],
		[
			TYPES,
			'An error of types stands inside an issue 1030 of type annotation',
			'expressions.test.ts: an error of types stands inside',
		],
		[
			'verified: yql_expr_type_annotation.cpp',
			'Aggregations are Optional without GROUP BY; SUM widens',
			'select.test.ts: types of aggregations',
		],
		[TRANSLATOR, 'Columns beside aggregations must be keys of the groups', 'select.test.ts: %s is refused: %s'],
		[
			`${DOCS}, yql/reference/syntax/select`,
			'WHERE, GROUP BY, HAVING, DISTINCT, ORDER BY, LIMIT, OFFSET',
			'query-model.test.ts: groups and distinct rows',
		],
		[
			`${DOCS}, yql/reference/syntax/select/secondary_index`,
			'VIEW of an index reads the table of the index',
			'tables.test.ts: indexes: their tables',
		],
		[
			'verified: kqp effects tests',
			'INSERT of a key that is there fails with issue 2012 and changes nothing',
			'query.test.ts: a query changes everything or nothing',
		],
		[
			`${DOCS}, yql/reference/syntax/update`,
			'UPDATE and DELETE with WHERE and ON',
			'query-model.test.ts: UPDATE and DELETE change',
		],
		[
			`${DOCS}, yql/reference/syntax/returning`,
			'RETURNING gives rows as they are after a write, and as they were before a deletion',
			'dml.test.ts: RETURNING gives the rows',
		],
		[
			`${DOCS}, yql/reference/syntax/create_table`,
			'Defaults fill new rows, and an UPSERT leaves those of rows that exist',
			'dml.test.ts: columns with a default',
		],
		['guess', 'Order of `SELECT *` and `RETURNING *`: by name, or as declared with PRAGMA OrderedColumns'],
		['guess', 'Types of some CASTs, and what a text must look like to be cast'],
		['guess', 'Exact texts of errors, where no row of the refusals below has a source'],
		[
			'unknown',
			'Cost and plan of a query: EXPLAIN names tables, columns and kinds of access only',
			'transactions.test.ts: EXPLAIN tells the tables',
		],
		[
			'unknown',
			'CPU times of statistics are the real ones of the emulator',
			'transactions.test.ts: statistics count rows',
		],
	]),
	...refusals('YQL', [
		['JOIN', 'SELECT * FROM t AS a JOIN t AS b ON a.id = b.id', 'JOIN is not emulated'],
		['Windows', 'SELECT SUM(id) OVER w FROM t WINDOW w AS ()', 'OVER'],
		['UNION', 'SELECT id FROM t UNION ALL SELECT id FROM t', 'UNION is not emulated'],
		['Subqueries', 'SELECT id FROM (SELECT id FROM t)', 'a subquery is not emulated'],
		['Lambdas', 'SELECT ListMap([1], ($x) -> { RETURN $x })', 'a lambda is not emulated'],
		[
			'Functions that are not listed in src/yql/functions.ts and function-modules.ts',
			'SELECT Digest::Crc32c("x")',
			'function Digest::Crc32c is not emulated',
		],
		['Other aggregations', 'SELECT MEDIAN(id) FROM t', 'aggregation MEDIAN is not emulated'],
		['CASTs between kinds of values that have no common form', 'SELECT CAST(1 AS Json)', 'is not emulated'],
		[
			'PRAGMAs but TablePathPrefix, OrderedColumns and a few without effect',
			'PRAGMA Nonsense; SELECT 1',
			'PRAGMA Nonsense is not emulated',
		],
		['PostgreSQL syntax', '--!syntax_pg\nSELECT 1', 'syntax_pg is not emulated'],
	]),
	...facts('Transactions', [
		[
			'verified: kqp locks (issue 2001 in the C++ and Go SDKs)',
			'What a transaction read is checked at its commit: ABORTED, issue 2001',
			'transactions.test.ts: write skew is refused',
		],
		[
			`${DOCS}, concepts/transactions`,
			'A row that comes into a range that was read aborts too',
			'transactions.test.ts: a row that appears in a range',
		],
		[
			'verified: a model with its own transactions (no server)',
			'Schemes, rows, interleaved transactions, crashes, splits and merges give what a simple model gives',
			'database-model.test.ts: schemes, rows, transactions',
		],
		[
			'guess',
			'An UPSERT that does not name all columns reads its rows, and aborts where they changed: the blind write of YDB does not',
		],
		[
			`${DOCS}, concepts/transactions`,
			'Snapshot read-only transactions are of one moment for all tables and never aborted',
			'transactions.test.ts: a snapshot is of one moment',
		],
		[
			`${DOCS}, concepts/transactions`,
			'Read-only modes refuse writes; online and stale ones commit at once',
			'transactions.test.ts: %s',
		],
		[
			'verified: kqp_session_actor.cpp',
			'A session does one thing at a time: SESSION_BUSY',
			'transactions.test.ts: a session does one thing at a time',
		],
		[
			"verified: YDB's documentation of sessions",
			'Leaving the attach stream ends a session: BAD_SESSION',
			'query.test.ts: sessions: unknown ones are refused',
		],
		[
			'verified: clients of YDB (header x-ydb-server-hints)',
			'The hint to close a session',
			'transactions.test.ts: ydb-sdk: explain, a truncated result',
		],
		['guess', 'Conflicts are found by comparing rows: a row that changed and changed back is no conflict'],
		[
			'guess',
			'A transaction sees all tables as of its first read, as far as queries write them; a bulk write is seen in tables that it has not read yet',
		],
		['unknown', 'Online and stale reads read what a snapshot reads; YDB may give older or mixed states'],
	]),
	...facts('Results', [
		[
			`${DOCS}, concepts/limits-ydb`,
			'The table service cuts a result at 1000 rows and says so',
			'transactions.test.ts: ydb-sdk: explain, a truncated result',
		],
		[
			'verified: ydb_query.proto',
			'The query service sends parts as large as the client asks',
			'transactions.test.ts: parts of a result are as small',
		],
		['guess', 'Size of the parts when nothing was asked: 1 MiB', 'query.test.ts: large results come in parts'],
		['unknown', 'The largest result that YDB gives: there is no bound here'],
	]),
]
