import { type Fact, facts, refusals } from './fact.ts'

const DOCS = "verified: YDB's documentation"
const MEASURED = 'verified: measured on servers 25.1 and 26.2 (ptah, integration tests)'

export const OBJECTS: readonly Fact[] = [
	...facts('Tables', [
		[
			`${DOCS}, yql/reference/syntax/create_table`,
			'Families, TTL, partitioning, replicas and attributes are kept, altered and told',
			'tables.test.ts: settings of tables change and stay',
		],
		[MEASURED, 'Settings that nobody gave are told as servers tell them', 'tables.test.ts: settings that nobody gave'],
		[MEASURED, 'Serial columns count on, after a restart and after set_val', 'tables.test.ts: serial columns count on'],
		[
			"verified: YDB's tests of copies (schemeshard ut_copy_table)",
			'CopyTables is one moment, and carries indexes and sequences unless they are left out',
			'tables.test.ts: copies carry indexes',
		],
		[
			`${DOCS}, concepts/datamodel/table`,
			'Tables by columns are read by queries only',
			'tables.test.ts: column tables are read by queries only',
		],
		[
			'verified: ydb_ut.cpp',
			'ALTER TABLE refuses an index without a type',
			'table-service.test.ts: an index without a type',
		],
		[
			"verified: examples of YDB's Python SDK",
			'CREATE TABLE takes an index without a type as a global one',
			'table-service.test.ts: an index without a type',
		],
		[
			'unsupported',
			'Table profiles and temporary tables of CreateTable',
			'fidelity.test.ts: CreateTable refuses profiles',
		],
		['unknown', 'TTLs are kept and delete nothing'],
		['unknown', 'Storage media and compression of families are kept and change nothing'],
	]),
	...refusals('Tables', [
		['Defaults that are altered', 'ALTER TABLE t ALTER COLUMN v SET DEFAULT 1', ''],
		[
			'Settings of a table that backups do not know',
			'CREATE TABLE x (id Int32, PRIMARY KEY (id)) WITH (NONSENSE = 1)',
			'the table setting NONSENSE is not emulated',
		],
	]),
	...facts('Indexes', [
		[
			`${DOCS}, concepts/query_execution/secondary_indexes`,
			'The table of an index is described and read, and refuses writes',
			'tables.test.ts: indexes: their tables',
		],
		[
			`${DOCS}, yql/reference/syntax/create_table/secondary_index`,
			'Unique indexes are kept',
			'query.test.ts: unique indexes are kept',
		],
		[
			"verified: BulkUpsert's documentation and datashard",
			'BulkUpsert refuses tables with indexes that are not async',
			'table-service.test.ts: bulk writes: nulls',
		],
		['unknown', 'Async indexes are always up to date; those of YDB lag behind'],
		[
			'verified: ydb_table.proto',
			'Vector, full-text and Bloom indexes are kept and described, and shut bulk writes out',
			'table-service.test.ts: indexes that the client package does not know',
		],
		['unsupported', 'Lookups by vector, full-text and Bloom indexes, their tables, and exports of tables with them'],
	]),
	...facts('Other objects', [
		[
			'verified: kqp_view_ut.cpp',
			'Views: created as they are written, described, listed, dropped',
			'objects.test.ts: views: created as written',
		],
		['unknown', 'The query of a view is not checked when it is created'],
		[
			`${DOCS}, reference/ydb-sdk/topic`,
			'Topics and their consumers, by statements and by the service',
			'objects.test.ts: topics: by statements',
		],
		[
			`${DOCS}, concepts/cdc`,
			'A changefeed is an object with a topic that takes consumers',
			'objects.test.ts: the topic of a changefeed',
		],
		[
			'unsupported',
			'Messages of topics and changefeeds: streams of reading and writing answer UNIMPLEMENTED',
			'fidelity.test.ts: services that are not emulated',
		],
		[
			'verified: ydb_coordination.proto, ydb_rate_limiter.proto',
			'Coordination nodes and rate limiters as objects',
			'objects.test.ts: coordination nodes and their rate limiters',
		],
		[
			'unsupported',
			'Sessions and semaphores of coordination, and acquiring of resources',
			'fidelity.test.ts: services that are not emulated',
		],
		[
			`${DOCS}, concepts/federated_query`,
			'External data sources and tables are kept and listed',
			'objects.test.ts: external data sources',
		],
		[
			`${DOCS}, concepts/async-replication, concepts/transfer`,
			'Replications and transfers are kept and listed, and do nothing',
			'objects.test.ts: external data sources',
		],
		[
			'unsupported',
			'Scripts, federated queries, CMS, monitoring, scripting',
			'fidelity.test.ts: services that are not emulated',
		],
	]),
	...refusals('Other objects', [
		['SELECT from a view', 'SELECT * FROM v', '/local/v is a view: reading it is not emulated'],
		['ALTER USER … RENAME TO', 'ALTER USER who RENAME TO other', 'RENAME TO is not emulated'],
	]),
	...facts('Access', [
		[
			'verified: kqp_acl_ut.cpp',
			'Without a right to see it a table is not there; with that only, its rows are denied',
			'access.test.ts: without a right to see it',
		],
		[
			'verified: tx_proxy/schemereq.cpp',
			'Each change of the scheme needs its own right: UNAUTHORIZED, issue 200000',
			'access.test.ts: rights are inherited',
		],
		[
			`${DOCS}, security/authorization`,
			'Who grants needs the right to, and grants no more than they have',
			'access.test.ts: who grants needs the right to',
		],
		[
			`${DOCS}, security/authorization`,
			'Groups give rights to members, and to groups within',
			'access.test.ts: groups give rights to members',
		],
		[
			MEASURED,
			'Accounts: only administrators change them; names and passwords are checked',
			'access.test.ts: accounts: only administrators',
		],
		[
			"verified: YDB's documentation of system views",
			'System views tell accounts, owners and rights',
			'access.test.ts: system views tell accounts',
		],
		[
			'unknown',
			'`ydb.database.connect`, built-in groups (ADMINS, USERS, …) and limits of failed logins are not enforced',
		],
	]),
	...facts('Backup collections', [
		[
			'verified: basic_user_scenarios.py, datashard_ut_incremental_backup.cpp',
			'A full backup is a copy, an increment the changes since, RESTORE brings both back',
			'collections.test.ts: a full backup is a copy',
		],
		[
			'verified: incr_restore_helpers.cpp',
			'Several changes of a row: the last metadata stands alone',
			'collections.test.ts: several changes of a row',
		],
		[
			'verified: datashard_ut_incremental_backup.cpp, MultiBackup',
			'The deletion of a key that was never there is recorded',
			'ydb-functional.test.ts: datashard_ut_incremental_backup, MultiBackup',
		],
		[
			'verified: schemeshard__operation_backup_backup_collection.cpp',
			'Two backups in one second collide',
			'collections.test.ts: two backups in one second',
		],
		[
			'verified: schemeshard ut_backup_collection.cpp',
			'Refusals of CREATE, BACKUP, RESTORE and DROP',
			'ydb-functional.test.ts: ut_backup_collection: %s',
		],
		[
			'verified: schemeshard__operation_restore_backup_collection.cpp',
			'A change table that is missing is passed over by RESTORE',
			'collections.test.ts: a missing change table',
		],
		[
			'verified: rpc_cancel_operation.cpp',
			'Operations run after the answer, fail, cannot be cancelled, are forgotten',
			'collections.test.ts: operations run, fail',
		],
		[
			'guess',
			'Retention of streams; whether a new full backup drops the streams before it: switches',
			'collections.test.ts: streams forget what is older',
		],
		['unknown', 'Restored indexes are always right: changes of indexes are written and not read'],
		['guess', 'RESTORE … AT is read over'],
	]),
]
