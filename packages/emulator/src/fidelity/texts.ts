const COLLECTIONS = 'verified: schemeshard ut_backup_collection.cpp and the operations that it tests'
const EXPORT = 'verified: rpc_export.cpp'
const UPLOAD = 'verified: datashard_common_upload.cpp'

/** Texts of refusals that no table of refusals sends, by how they begin, and where they were read. */
export const READ_TEXTS: Readonly<Record<string, `verified: ${string}`>> = {
	'Transaction locks invalidated. Table: ': 'verified: kqp sources, and the SDKs that look for issue 2001',
	'Pending previous query completion': 'verified: kqp_session_actor.cpp',
	'Invalid or unset index type': 'verified: ydb_ut.cpp',
	'Backup collections are disabled.': COLLECTIONS,
	'Backup collections must be placed': COLLECTIONS,
	'Incremental backup is disabled on this collection': COLLECTIONS,
	'Last continuous backup stream is not found': COLLECTIONS,
	'Nothing to restore': 'verified: schemeshard__operation_restore_backup_collection.cpp',
	'Invalid name for column ': 'verified: ut_backup_collection.cpp, TableWithSystemColumns',
	'Row key size of ': UPLOAD,
	'Row cell size of ': UPLOAD,
	'Keys with Uint8 column values >127': UPLOAD,
	'No destination prefix specified for encrypted export': EXPORT,
	'Invalid encryption settings: ': EXPORT,
	"No destination prefix nor items specified. Don't know where to export": EXPORT,
	'No destination prefix or common destination prefix specified for item ': EXPORT,
	'Duplicate export item source path: ': EXPORT,
	'Cannot resolve path: path# ': EXPORT,
	'Nothing to export': EXPORT,
	'Invalid regexp: ': EXPORT,
	'Import with uid ': 'verified: schemeshard_import__create.cpp',
}
