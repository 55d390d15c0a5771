/** Where a refusal comes from: what was read or measured, or that it is a guess. */
export type Origin = { readonly verified: string } | 'guess'

export interface Refusal {
	/** What leads to it, in the order in which it is sent; the last one is refused. */
	readonly statements: readonly string[]
	/** The last one is sent by a user `who` whom the others made; by an administrator otherwise. */
	readonly byUser: boolean
	readonly status: number
	readonly issueCode: number
	/** A piece of the text of the innermost issue. */
	readonly text: string
	/** Of the status and the text; codes are verified only where it says so. */
	readonly origin: Origin
}

const MEASURED = 'refusals measured on servers 25.1 and 26.2 (ptah, integration tests)'
/** Makes the user who sends the last statement. */
const WHO = "CREATE USER who PASSWORD 'x'"
const ACL = 'kqp_acl_ut.cpp'
const SCHEMEREQ = 'tx_proxy/schemereq.cpp, CheckACL'
const UNAUTHORIZED = 400020
const ABORTED = 400040
const SCHEME_ERROR = 400070
const BAD_REQUEST = 400010
const GENERIC_ERROR = 400080
const PRECONDITION_FAILED = 400120
const UNSUPPORTED = 400180

const T =
	'CREATE TABLE t (id Uint64 NOT NULL, k Utf8, c Utf8, at Timestamp, PRIMARY KEY (id), INDEX i GLOBAL ON (k) COVER (c)) WITH (TTL = Interval("P1D") ON at)'
const refusal = (
	origin: Origin,
	status: number,
	issueCode: number,
	text: string,
	...statements: readonly string[]
): Refusal => ({ origin, status, issueCode, text, statements, byUser: statements[0] === WHO })

/**
 * Refusals of statements about objects of the scheme and about accounts: tests send each and compare. Statuses of `ptah` are not told
 * apart there: their texts are verified, their statuses and codes are guesses. The tool that is tested may branch on status and code only.
 */
export const REFUSALS: readonly Refusal[] = [
	refusal(
		{ verified: `${MEASURED}; status BAD_REQUEST too` },
		BAD_REQUEST,
		0,
		'Adding a unique index to an existing table is disabled',
		T,
		'ALTER TABLE t ADD INDEX u GLOBAL UNIQUE SYNC ON (c)',
	),
	refusal(
		{ verified: MEASURED },
		SCHEME_ERROR,
		0,
		'Impossible drop column because table has an index with that column',
		T,
		'ALTER TABLE t DROP COLUMN k',
	),
	refusal(
		{ verified: MEASURED },
		SCHEME_ERROR,
		0,
		'Impossible drop column because table index covers that column',
		T,
		'ALTER TABLE t DROP COLUMN c',
	),
	refusal(
		{ verified: MEASURED },
		SCHEME_ERROR,
		0,
		"Can't drop TTL column: 'at', disable TTL first",
		T,
		'ALTER TABLE t DROP COLUMN at',
	),
	refusal(
		{ verified: MEASURED },
		SCHEME_ERROR,
		0,
		'Cannot add not null column without default value',
		T,
		'ALTER TABLE t ADD COLUMN n Int64 NOT NULL',
	),
	refusal(
		{ verified: 'schemeshard__operation_move_tables.cpp' },
		PRECONDITION_FAILED,
		0,
		'Cannot move table with cdc streams',
		'CREATE TABLE t (id Uint64, PRIMARY KEY (id))',
		"ALTER TABLE t ADD CHANGEFEED f WITH (MODE = 'UPDATES', FORMAT = 'JSON')",
		'ALTER TABLE t RENAME TO u',
	),
	refusal(
		{ verified: 'schemeshard__operation_move_tables.cpp' },
		PRECONDITION_FAILED,
		0,
		'RENAME is prohibited for column tables',
		'CREATE TABLE t (id Uint64 NOT NULL, PRIMARY KEY (id)) WITH (STORE = COLUMN)',
		'ALTER TABLE t RENAME TO u',
	),
	refusal(
		{ verified: 'kqp_gateway_proxy.cpp, PrepareAlterTable' },
		BAD_REQUEST,
		0,
		'Unqualified alter table request.',
		T,
		'ALTER TABLE t ADD COLUMN n Int64, DROP INDEX i',
	),
	refusal(
		{ verified: 'ydb_convert, BuildAlterTableAddIndexRequest' },
		UNSUPPORTED,
		0,
		'Only one index can be added by one operation',
		T,
		'ALTER TABLE t ADD INDEX a GLOBAL ON (c), ADD INDEX b GLOBAL ON (c)',
	),
	refusal(
		{ verified: 'kqp_view_ut.cpp, ParsingSecurityInvoker' },
		GENERIC_ERROR,
		0,
		'security_invoker option must be explicitly enabled',
		'CREATE VIEW v AS SELECT 1',
	),
	refusal(
		{ verified: 'kqp_view_ut.cpp, CreateViewOccupiedName' },
		SCHEME_ERROR,
		2003,
		"path: '/local/t', error: unexpected path type",
		T,
		'CREATE VIEW t WITH (security_invoker = TRUE) AS SELECT 1',
	),
	refusal(
		{ verified: 'kqp_view_ut.cpp, CreateSameViewTwice' },
		SCHEME_ERROR,
		2003,
		'error: path exist, request accepts it',
		'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1',
		'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1',
	),
	refusal(
		{ verified: 'kqp_view_ut.cpp, DropNonexistingView' },
		SCHEME_ERROR,
		200200,
		'Path does not exist',
		'DROP VIEW v',
	),
	refusal(
		{ verified: 'kqp_view_ut.cpp, CallDropViewOnTable' },
		SCHEME_ERROR,
		2003,
		"path: '/local/t', error: path is not a view",
		T,
		'DROP VIEW IF EXISTS t',
	),
	refusal({ verified: MEASURED }, PRECONDITION_FAILED, 0, 'Name is not allowed', "CREATE USER app_user PASSWORD 'x'"),
	refusal(
		{ verified: MEASURED },
		BAD_REQUEST,
		0,
		'Invalid total groups count specified',
		'CREATE TOPIC p WITH (min_active_partitions = 3)',
		'ALTER TOPIC p SET (min_active_partitions = 2)',
	),
	refusal(
		{ verified: MEASURED },
		BAD_REQUEST,
		0,
		"Can't disable auto partitioning.",
		"CREATE TOPIC p WITH (auto_partitioning_strategy = 'up', max_active_partitions = 9)",
		"ALTER TOPIC p SET (auto_partitioning_strategy = 'disabled')",
	),
	refusal(
		{ verified: `${MEASURED}: a sequence is found by its absolute path only` },
		SCHEME_ERROR,
		200200,
		'Path does not exist',
		'CREATE TABLE s (id Serial, PRIMARY KEY (id))',
		'ALTER SEQUENCE `s/_serial_column_id` RESTART',
	),
	refusal(
		{ verified: 'kqp_indexes_ut.cpp as it is remembered; status a guess' },
		BAD_REQUEST,
		0,
		'Writing to index implementation tables is not allowed',
		T,
		'UPSERT INTO `t/i/indexImplTable` (k, id) VALUES ("a", 1)',
	),
	refusal('guess', SCHEME_ERROR, 2003, 'path is not a common path', T, 'DROP TABLE `t/i/indexImplTable`'),
	refusal(
		'guess',
		SCHEME_ERROR,
		0,
		'Nullable key column',
		'CREATE TABLE c (id Uint64, PRIMARY KEY (id)) WITH (STORE = COLUMN)',
	),
	refusal(
		'guess',
		SCHEME_ERROR,
		0,
		'Secondary indexes are not supported by column tables',
		'CREATE TABLE c (id Uint64 NOT NULL, PRIMARY KEY (id), INDEX i GLOBAL ON (id)) WITH (STORE = COLUMN)',
	),
	refusal(
		'guess',
		GENERIC_ERROR,
		0,
		'type mismatch',
		'CREATE TABLE d (id Uint64, a Int32 DEFAULT "x", PRIMARY KEY (id))',
	),
	refusal(
		'guess',
		SCHEME_ERROR,
		0,
		'DEBEZIUM_JSON format incompatible',
		'CREATE TABLE t (id Uint64, PRIMARY KEY (id))',
		"ALTER TABLE t ADD CHANGEFEED f WITH (MODE = 'UPDATES', FORMAT = 'DEBEZIUM_JSON')",
	),
	refusal(
		'guess',
		SCHEME_ERROR,
		0,
		'Other entities depend on this data source',
		"CREATE EXTERNAL DATA SOURCE s WITH (SOURCE_TYPE = 'ObjectStorage', LOCATION = 'http://h/')",
		"CREATE EXTERNAL TABLE e (a Utf8) WITH (DATA_SOURCE = 's', LOCATION = 'f')",
		'DROP EXTERNAL DATA SOURCE s',
	),
	refusal('guess', PRECONDITION_FAILED, 0, 'User not found', 'DROP USER nobody'),
	refusal('guess', PRECONDITION_FAILED, 0, 'Group not found', 'ALTER GROUP nobody ADD USER x'),
	refusal('guess', GENERIC_ERROR, 0, 'Unknown permission name', T, 'GRANT NONSENSE ON t TO x'),
	refusal('guess', 400140, 0, "Consumer 'c' does not exist", 'CREATE TOPIC p', 'ALTER TOPIC p DROP CONSUMER c'),
	refusal(
		{ verified: `${ACL}, AclForOltpAndOlap; code too` },
		SCHEME_ERROR,
		2003,
		'it does not exist or you do not have access permissions',
		WHO,
		T,
		'SELECT * FROM t',
	),
	refusal(
		{ verified: `${ACL}, AclForOltpAndOlap; code too` },
		ABORTED,
		2028,
		'Failed to resolve table `/local/t` status: AccessDenied.',
		WHO,
		T,
		'GRANT DESCRIBE SCHEMA ON t TO who',
		'SELECT * FROM t',
	),
	refusal(
		{ verified: `${ACL}, AclForOltpAndOlap; code too` },
		ABORTED,
		2028,
		'AccessDenied.',
		WHO,
		T,
		'GRANT SELECT ON t TO who',
		'UPSERT INTO t (id) VALUES (1)',
	),
	refusal(
		{ verified: `${ACL}, AclForOltpAndOlap; code too` },
		ABORTED,
		2028,
		'AccessDenied.',
		WHO,
		T,
		'GRANT SELECT, UPDATE ROW ON t TO who',
		'DELETE FROM t WHERE 1 = 1',
	),
	refusal(
		{ verified: `${SCHEMEREQ}; code too` },
		UNAUTHORIZED,
		200000,
		'Access denied for who to path /local',
		WHO,
		'CREATE TABLE n (id Uint64, PRIMARY KEY (id))',
	),
	refusal(
		{ verified: `${SCHEMEREQ}; code too` },
		UNAUTHORIZED,
		200000,
		'Access denied for who to path /local/t',
		WHO,
		T,
		'GRANT LIST ON t TO who',
		'DROP TABLE t',
	),
	refusal(
		{ verified: `${SCHEMEREQ}; code too` },
		UNAUTHORIZED,
		200000,
		'Access denied for who to path /local/t',
		WHO,
		T,
		'GRANT SELECT ON t TO who',
		'GRANT SELECT ON t TO other',
	),
	refusal('guess', UNAUTHORIZED, 200000, 'Access denied for who', WHO, "CREATE USER other PASSWORD 'x'"),
]
