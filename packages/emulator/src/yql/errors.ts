import type { StatusName } from '../error.ts'

/** A refusal of a query, as a test shows it. The tool may branch on status and issue code only. */
export interface Refusal {
	/** Runs against `refusals (id Uint32 NOT NULL, s String NOT NULL, v Int32, PRIMARY KEY (id))` with the row (1, "x", 5). */
	readonly query: string
	readonly status: StatusName
	/** Of the innermost issue. */
	readonly issueCode: number
	/** A part of the message of the innermost issue. */
	readonly message: string
	/** Whether the issue stands inside one of type annotation (1030). */
	readonly typed?: boolean
	/** Where the message, the code or the status are known from; `guess` where they are not. */
	readonly source: `verified: ${string}` | 'guess'
}

const SQL_UT = "verified: YDB's unit tests of the translator (SqlToYQLErrors)"
const TYPE_ANN = "verified: YDB's type_ann_core.cpp"
const AGGREGATE = "verified: YDB's yql_expr_type_annotation.cpp"
const KQP = "verified: YDB's kqp type annotation"

/** What the emulator refuses in a query and how. Sources are read, never tried: no real YDB was at hand. */
export const REFUSALS: readonly Refusal[] = [
	{
		query: 'SELECT CASE WHEN TRUE 1',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: "missing THEN at '1'",
		source: SQL_UT,
	},
	{
		query: 'SELECT "abc',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: "token recognition error at: '\"abc'",
		source: SQL_UT,
	},
	{
		query: 'SELECT none FROM refusals',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Member not found: none',
		typed: true,
		source: TYPE_ANN,
	},
	{
		query: 'SELECT 1 + "a"',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Cannot add type Int32 and String',
		typed: true,
		source: TYPE_ANN,
	},
	{
		query: 'SELECT 1 = "a"',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: "Uncompatible types in compare: Int32 '==' String",
		typed: true,
		source: TYPE_ANN,
	},
	{
		query: 'SELECT 1 & 2',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Expected unsigned data type, but got: Int32',
		typed: true,
		source: TYPE_ANN,
	},
	{
		query: 'SELECT 1u << 300',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Shift count must be Uint8',
		typed: true,
		source: TYPE_ANN,
	},
	{
		query: 'SELECT 1 || "a"',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Expected (optional) String or Utf8, but got: Int32',
		typed: true,
		source: TYPE_ANN,
	},
	{
		query: 'SELECT SUM(s) FROM refusals',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Unsupported column type: String',
		typed: true,
		source: AGGREGATE,
	},
	{
		query: 'SELECT IF(1, 2, 3)',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Expected bool or optional bool, but got: Int32',
		typed: true,
		source: 'guess',
	},
	{
		query: 'SELECT 1 ?? "a"',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Uncompatible coalesce types',
		typed: true,
		source: 'guess',
	},
	{
		query: 'SELECT IF(TRUE, 1, "a")',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Mismatch types',
		typed: true,
		source: 'guess',
	},
	{
		query: 'SELECT CAST(1 AS Json)',
		status: 'UNSUPPORTED',
		issueCode: 0,
		message: 'CAST of Int32 to Json is not emulated',
		source: 'guess',
	},
	{
		query: 'SELECT Uint8("256")',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Invalid value "256" for type Uint8',
		source: 'guess',
	},
	{ query: 'SELECT $x', status: 'GENERIC_ERROR', issueCode: 0, message: 'Unknown name: $x', source: SQL_UT },
	{
		query: 'SELECT a',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Column references are not allowed without FROM',
		source: SQL_UT,
	},
	{
		query: 'SELECT CASE 1 WHEN 1 THEN 2 END',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'ELSE is required',
		source: SQL_UT,
	},
	{
		query: 'SELECT id, v FROM refusals GROUP BY id',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Column `v` must either be a key column in GROUP BY',
		source: SQL_UT,
	},
	{
		query: 'SELECT 1 FROM refusals GROUP BY 1 + 1 AS x',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Unable to GROUP BY constant expression',
		source: SQL_UT,
	},
	{
		query: 'SELECT id FROM refusals ORDER BY 1',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Unable to ORDER BY constant expression',
		source: SQL_UT,
	},
	{
		query: 'SELECT id FROM refusals WHERE COUNT(*) > 1',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Can not use aggregated values in filtering',
		source: SQL_UT,
	},
	{
		query: 'SELECT id, id FROM refusals',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Unable to use duplicate column names',
		source: SQL_UT,
	},
	{
		query: '$x = COUNT(1); SELECT $x',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Aggregation is not allowed in this context',
		source: SQL_UT,
	},
	{
		query: 'SELECT * FROM refusals VIEW none',
		status: 'SCHEME_ERROR',
		issueCode: 2003,
		message: 'Required global index not found, index name: none',
		typed: true,
		source: KQP,
	},
	{
		query: 'SELECT * FROM nowhere',
		status: 'SCHEME_ERROR',
		issueCode: 2003,
		message: "Cannot find table 'db.[/local/nowhere]'",
		typed: true,
		source: 'guess',
	},
	{
		query: 'UPSERT INTO refusals (id) VALUES (1)',
		status: 'BAD_REQUEST',
		issueCode: 2032,
		message: 'Missing not null column in input: s',
		typed: true,
		source: KQP,
	},
	{
		query: 'UPSERT INTO refusals (s) VALUES ("x")',
		status: 'PRECONDITION_FAILED',
		issueCode: 2029,
		message: 'Missing key column in input: id for table: /local/refusals',
		typed: true,
		source: KQP,
	},
	{
		query: 'UPSERT INTO refusals (id, s) VALUES (2, NULL)',
		status: 'BAD_REQUEST',
		issueCode: 2031,
		message: "Can't set optional or NULL value to not null column: s",
		typed: true,
		source: 'guess',
	},
	{
		query: 'UPSERT INTO refusals (id, s, none) VALUES (2, "", 1)',
		status: 'BAD_REQUEST',
		issueCode: 2017,
		message: 'No such column: none',
		typed: true,
		source: 'guess',
	},
	{
		query: 'UPDATE refusals SET id = 2u WHERE id = 1',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'Cannot update primary key column: id',
		typed: true,
		source: 'guess',
	},
	{
		query: 'INSERT INTO refusals (id, s) VALUES (1, "x")',
		status: 'PRECONDITION_FAILED',
		issueCode: 2012,
		message: 'Conflict with existing key.',
		source: "verified: YDB's tests of kqp effects",
	},
	{
		query: 'INSERT INTO refusals VALUES (1)',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'INSERT INTO ... VALUES requires specification of table columns',
		source: SQL_UT,
	},
	{
		query: 'INSERT INTO refusals (id) VALUES (1, 2)',
		status: 'GENERIC_ERROR',
		issueCode: 0,
		message: 'VALUES have 2 columns, INSERT INTO expects: 1',
		source: SQL_UT,
	},
	{
		query: 'SELECT Unwrap(CAST("x" AS Int32))',
		status: 'PRECONDITION_FAILED',
		issueCode: 0,
		message: 'Failed to unwrap empty optional',
		source: "verified: YDB's mkql_unwrap.cpp (the text; not the status)",
	},
	{
		query: 'DROP TABLE refusals; SELECT * FROM refusals',
		status: 'GENERIC_ERROR',
		issueCode: 2009,
		message: 'Queries with mixed data and scheme operations are not supported',
		source: "verified: YDB's kqp transformers",
	},
	{
		query: 'DECLARE $x AS Int32; SELECT $x',
		status: 'BAD_REQUEST',
		issueCode: 0,
		message: 'Missing value for parameter: $x',
		source: 'guess',
	},
	{
		query: 'SELECT * FROM refusals AS a JOIN refusals AS b ON a.id = b.id',
		status: 'UNSUPPORTED',
		issueCode: 0,
		message: 'JOIN is not emulated',
		source: 'guess',
	},
]
