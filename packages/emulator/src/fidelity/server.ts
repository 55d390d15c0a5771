import { type Fact, facts } from './fact.ts'

const DOCS = "verified: YDB's documentation"
const PROTO = 'verified: ydb_table.proto'

export const SERVER: readonly Fact[] = [
	...facts('Reading tables', [
		[
			PROTO,
			'StreamReadTable: columns, key ranges, row limits, ordered and not, of one moment while rows change',
			'table-service.test.ts: ydb-sdk: read table by ranges',
		],
		[
			"verified: YDB's read table (several shards at once)",
			'Unordered reads interleave partitions',
			'faults.test.ts: unordered reads take from all partitions',
		],
		[
			`${DOCS}, concepts/datamodel/table`,
			'Partitions split and merge by size, and during a read: no row is lost',
			'faults.test.ts: partitions split and merge while they are read',
		],
		['unknown', 'Partitions do not split by load'],
		['guess', 'Sizes of messages: 64 KiB to 1 MiB unless the request or a fault says otherwise'],
		['guess', 'Order of keys of the types Uuid and Decimal (special values)'],
		[
			'unsupported',
			'ReadRows and scan queries of the table service answer UNIMPLEMENTED',
			'fidelity.test.ts: services that are not emulated',
		],
	]),
	...facts('Bulk writes', [
		[
			'verified: datashard_common_upload.cpp',
			'BulkUpsert checks types, keys, NULLs, texts, and the sizes of keys and cells',
			'faults.test.ts: limits of keys and cells',
		],
		[PROTO, 'BulkUpsert is no transaction: it is seen at once', 'transactions.test.ts: a snapshot is of one moment'],
		['guess', 'Of equal keys within a request the last one stands'],
		[
			'unsupported',
			'BulkUpsert of CSV and Arrow: a request without rows',
			'fidelity.test.ts: CreateTable refuses profiles',
		],
	]),
	...facts('Cluster', [
		[
			'verified: clients of YDB route by nodeId',
			'Discovery names every node that runs; a session ends with its node',
			'cluster.test.ts: a session belongs to the node',
		],
		[
			'verified: @ydbjs/core, ydb-sdk 5, the Python and the Go SDK',
			'Clients with discovery go on when a node goes away and comes back',
			'cluster.test.ts: @ydbjs with discovery goes on',
		],
		[
			'verified: @ydbjs/core, ydb-sdk 5, the Python and the Go SDK',
			'TLS with a certificate',
			'cluster.test.ts: with a certificate connections are encrypted',
		],
		[
			'verified: the Python and the Go SDK',
			'Login by user and password; a call without a token is UNAUTHENTICATED',
			'table-service.test.ts: with users, calls need a token',
		],
		['guess', 'A wrong name of the database in the header is UNAUTHENTICATED'],
		['unknown', 'Any node answers for any session'],
	]),
	...facts('Data directory', [
		[
			'verified: kill -9 in tests',
			'What was acknowledged survives kill -9 at any moment',
			'journal.test.ts: what was acknowledged survives kill -9 at any moment',
		],
		[
			'verified: tests',
			'A directory of a newer version or with damage is refused, one of an older version converted',
			'journal.test.ts: a directory of a newer version',
		],
		['unknown', 'How YDB keeps data has nothing in common with this'],
	]),
]
