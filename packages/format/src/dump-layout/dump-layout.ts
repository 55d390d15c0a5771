export { type AccountFiles, readAccounts, unwritableAccounts, writeAccounts } from './accounts.ts'
export { type FoundData, type FoundDataFiles, findDataFiles } from './data-files.ts'
export { findObject, findObjects, type FoundDirectory, type FoundObject, type FoundTree } from './find-objects.ts'
export { type FolderFiles, FolderTree } from './folder-tree.ts'
export {
	ACCOUNTS,
	CHANGEFEED,
	DATABASE,
	dumpDataName,
	EMPTY_DIRECTORY,
	type FoundKind,
	INCOMPLETE,
	isReservedName,
	METADATA,
	PERMISSIONS,
	readDataName,
	SCHEME,
} from './names.ts'
export { printSqlFile, readSqlFile, type SqlFile } from './sql-file.ts'
