export {
	BackupError,
	type BackupErrorOptions,
	interruption,
	isBackupError,
	type Retry,
	throwIfInterrupted,
} from './errors/backup-error.ts'
export { ERROR_CODES, type ErrorCode, type ErrorKind } from './errors/codes.ts'

export {
	type ClusterOperation,
	OPERATION_KINDS,
	type OperationItem,
	type OperationKind,
	type Operations,
} from './cluster/operations.ts'
export type {
	ClusterKey,
	ClusterTransfers,
	ExportRequest,
	ImportRequest,
	ListExportRequest,
	S3Place,
} from './cluster/transfers.ts'

export type { KeyProvider } from './encryption/key-provider.ts'

export type { Capabilities, Lacking } from './storage/capabilities.ts'
export {
	defineStorageDriver,
	DRIVER_CONTRACT,
	type DriverOption,
	type OpenContext,
	type StorageDriver,
} from './storage/driver.ts'
export { assertKey, isKey, isKeyPrefix, MAX_KEY_BYTES } from './storage/keys.ts'
export type {
	ByteRange,
	CallOptions,
	GetOptions,
	ListOptions,
	ObjectBody,
	ObjectInfo,
	PutBody,
	PutOptions,
	ServerSideTarget,
	Storage,
} from './storage/storage.ts'

export {
	messageField,
	protoField,
	protoFields,
	protoMessage,
	protoString,
	type ProtoField,
	type ProtoText,
	type ProtoValue,
	scalarField,
	textField,
} from './model/proto-text.ts'
export type { RowChunk } from './model/row-chunk.ts'
export type { Column, KeyBound, KeyBytes, KeyRange, TableSchema } from './model/table-schema.ts'
export { bareType, PRIMITIVE_TYPES, type PrimitiveName, spellType, type YdbType } from './model/ydb-type.ts'

export {
	DEFINED_KINDS,
	type DefinedKind,
	type ObjectDefinition,
	type ObjectPart,
	type SchemeObject,
} from './snapshot/scheme-object.ts'
export type { AccountAdmin, Accounts, GroupAccount, UserAccount } from './snapshot/accounts.ts'
export type {
	OpenWriterOptions,
	SnapshotSink,
	TableTies,
	TransferTie,
	TableWriter,
	WriteProgress,
} from './snapshot/sink.ts'
export type {
	ObjectKind,
	ReadRowsOptions,
	Snapshot,
	SnapshotRequest,
	LeftCopies,
	LeftCopiesRequest,
	LeftSnapshot,
	SnapshotCopy,
	SnapshotSource,
	SnapshotTable,
	SourceObject,
} from './snapshot/source.ts'

export type { ChainBreak, Change, ChangedColumn, Position, TableChanges } from './incremental/change.ts'
export type {
	CollectionAdmin,
	CollectionContents,
	CollectionLink,
	CollectionRestore,
	CollectionSource,
	CollectionSpec,
	LiveObject,
	RestoreProgress,
} from './incremental/collection.ts'
export type { ChangeSink } from './incremental/sink.ts'
export type { ChangeLink, ChangeSource } from './incremental/source.ts'
