export { type CsvEncoder, type CsvEncoderOptions, createCsvEncoder } from './csv/encoder.ts'
export { type CsvParser, createCsvParser } from './csv/parser.ts'

export { compressFrame, type FrameOptions } from './compression/compress-frame.ts'
export { type Compression, parseCompression } from './compression/compression.ts'
export { decompress, type DecompressLimits } from './compression/decompress.ts'

export * as encryption from './encryption/encryption.ts'
export type { EncryptionAlgorithm } from './encryption/algorithm.ts'
export type { FileEncryptor } from './encryption/encrypt-file.ts'
export type { EncryptionKey } from './encryption/key.ts'

export {
	checkNativeExport,
	type NativeCheck,
	type NativeCheckOptions,
	type NativeFiles,
} from './native-check/check-export.ts'
export type { NativeProblem } from './native-check/problem.ts'

export { checksumFile, parseChecksumFile } from './hash/checksum-file.ts'
export { createSha256, type Sha256, sha256Hex } from './hash/sha256.ts'

export * as layout from './layout/layout.ts'
export type { ItemMetadata, MappedItem, ReadItemMetadata, ReadRootMetadata, RootMetadata } from './layout/layout.ts'

export { canonicalJson, type JsonValue } from './json/canonical-json.ts'
export { Fields, type TextRule } from './json/fields.ts'
export { type Complain, type JsonLimits, parseJson } from './json/parse-json.ts'

export { decodeManifest } from './manifest/decode-manifest.ts'
export { authenticateManifest, encodeManifest, MAX_MANIFEST_BYTES } from './manifest/encode-manifest.ts'
export { isDefined, isTable } from './manifest/manifest.ts'
export type {
	Manifest,
	ManifestCounts,
	ManifestEncryption,
	ManifestFile,
	ManifestNote,
	ManifestObject,
	ShippedLink,
} from './manifest/manifest.ts'
export {
	decodeObjects,
	encodeObjects,
	type ObjectsFile,
	type SealedNames,
	type StoredDirectoryEntry,
	type StoredAccounts,
	type StoredLink,
} from './manifest/objects-file.ts'
export { decodeProof, encodeProof, MAX_PROOF_BYTES, type Proof, type ProvenFile } from './manifest/proof.ts'
export {
	decodeRepositoryHeader,
	encodeRepositoryHeader,
	MAX_HEADER_BYTES,
	type RepositoryHeader,
} from './manifest/repository-header.ts'

export { partitionRangesOf } from './scheme/partition-ranges.ts'
export { tableSchemaOf } from './scheme/table-schema.ts'

export { parseProtoText } from './text/parse-text.ts'
export { printProtoText, type PrintOptions } from './text/print-text.ts'

export * as changes from './changes/changes.ts'
export type { ChangeMetadata, ChangeReader, ColumnMap, ColumnMapper, ColumnState } from './changes/changes.ts'

export * as dumpLayout from './dump-layout/dump-layout.ts'
export type { FoundObject, FoundTree, FolderTree } from './dump-layout/dump-layout.ts'

export * as yql from './yql/yql.ts'
export type { CreateStatement, StatedKind } from './yql/yql.ts'
