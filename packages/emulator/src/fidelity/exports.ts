import { type Fact, facts } from './fact.ts'

const CREATE = 'verified: schemeshard_export__create.cpp'
const CONV = 'verified: rpc_operation_conv_base.h, rpc_export_base.h, rpc_import_base.h'
const FIXTURE = 'verified: ut_export.cpp, whose hashes the files have'
const PROXY = 'verified: rpc_export.cpp'
const GETTERS = 'verified: schemeshard_import_getters.cpp'
const IMPORT = 'verified: import_s3.cpp'
const BUFFER = 'verified: export_s3_buffer.cpp'

/** Exports to S3 and imports from it. */
export const EXPORTS: readonly Fact[] = [
	...facts('Exports and imports: what is written', [
		[
			FIXTURE,
			"A table of YDB's own test: data, scheme, permissions, metadata and their checksums",
			'exports.test.ts: an export of the table',
		],
		[FIXTURE, 'The descriptions of a changefeed and of its topic', 'exports.test.ts: a changefeed is described'],
		[
			'verified: ut_export.cpp, ut.cpp of ydb/library/backup',
			'Cells of CSV of every type, and what a reader takes',
			'export-format.test.ts: any bytes come back from CSV',
		],
		[
			'verified: ToStream<float> and <double> in export_s3_buffer_raw.cpp, util/string/cast.cpp',
			'Float keeps 6 digits and Double 10 (`exactFloats` writes them whole); the newest writer of the server was not seen',
			'export-format.test.ts: floats are written exactly',
		],
		[
			BUFFER,
			'A part ends a zstd frame and a block of encryption at the end of a line',
			'exports.test.ts: large partitions go in parts',
		],
		['guess', 'A part is ended by 8 MiB of output'],
		[
			'verified: encryption.cpp',
			'Encrypted files: header, chained blocks, an authenticated end; derived IVs',
			'export-format.test.ts: encrypted files are read in pieces',
		],
		['unknown', 'No vectors of YDB for encryption are known: those of the tests were made from the specification'],
		[
			PROXY,
			'Directories are expanded; below the database `~`, `.sys`, `.tmp`, `.metadata` and `export-` are left out, `.backups` is not',
			'exports.test.ts: expressions leave objects out',
		],
		['unknown', 'The order of items: the server takes them from a hash table'],
		['guess', 'Names of the files of transfers, external data sources and external tables'],
		[
			'unknown',
			'Statements are not passed through the formatter of YQL, and their references are not rewritten by an import',
		],
		[
			'verified: GenYdbPermissions in export_common.cpp',
			'Owner and grants of objects; that inheritance was interrupted is lost',
			'exports.test.ts: every kind of object',
		],
		[
			'unsupported',
			'Parquet; encrypted index data, about whose IVs versions differ; exports to YT and file systems; ImportData',
		],
	]),
	...facts('Exports and imports: operations', [
		[
			CONV,
			'SUCCESS and an empty result while an operation is not ready; CANCELLED and ready when it failed',
			'export-operations.test.ts: one item that fails cancels all',
		],
		[CREATE, 'A repeated export with its uid is the same one', 'export-operations.test.ts: a repeated export'],
		[
			'verified: schemeshard_import__create.cpp of an older version',
			'A repeated import with its uid is ALREADY_EXISTS; newer servers may return it',
			'export-operations.test.ts: a repeated export',
		],
		[
			CREATE,
			'Tables are copied at one moment into `export-<id>`, after the common files; the copies go after DONE, and those of a cancelled one when it is forgotten',
			'export-operations.test.ts: what runs is not forgotten',
		],
		[
			'verified: schemeshard_export__forget.cpp',
			'What is in progress cannot be forgotten, also right after DONE',
			'export-operations.test.ts: what runs is not forgotten',
		],
		[
			'verified: schemeshard_export__cancel.cpp',
			'A cancelled one says `Cancelled manually`; what is over is cancelled without effect',
			'export-operations.test.ts: an export is cancelled',
		],
		[
			'verified: export_s3_uploader.cpp, retry_policy.cpp',
			'Waits of 1, 2, 6, 10, 10 … minutes; refusals are not tried again',
			'export-operations.test.ts: a store that does not answer',
		],
		['guess', 'Four pieces of work go on at once in one operation; a server is silent after 30 seconds'],
		['unknown', 'How many exports and imports a database may have at once, and where that is counted'],
		['unknown', 'The step and the transaction of the copy are the time and the number of the export'],
		['guess', 'Secrets and keys are left out of what is told of an operation'],
	]),
	...facts('Exports and imports: what is read', [
		[
			'verified: FillItemsFromSchemaMappingTest',
			'Paths and prefixes of an import by a mapping',
			'export-format.test.ts: a mapping is resolved',
		],
		[
			'verified: schemeshard_import__create.cpp',
			'An import creates and never merges; what it made stays when it fails',
			'export-operations.test.ts: an import that fails',
		],
		[
			IMPORT,
			'Rows outside of their partition, lines without an end, frames that end within a line are refused; a checksum is compared at the end',
			'export-operations.test.ts: an import of %s',
		],
		[
			GETTERS,
			'The mapping is checked whatever `skip_checksum_validation` says',
			'export-operations.test.ts: with a wrong key',
		],
		[GETTERS, 'ListObjectsInS3Export reads the mapping, or one page of names', 'exports.test.ts: what an export holds'],
		[
			GETTERS,
			'Index data are wanted, taken when they are there, or left (`index_population_mode`)',
			'exports.test.ts: index data go out',
		],
		['unknown', 'Index data are read and checked; the index is made of the rows all the same'],
	]),
]
