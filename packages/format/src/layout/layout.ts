export {
	backupPrefix,
	catalogPrefix,
	catalogRoot,
	checksumName,
	dataName,
	encryptedSuffix,
	itemPrefix,
	keysRoot,
	keyUseKey,
	manifestKey,
	objectsKey,
	repositoryKey,
	runKey,
	runsRoot,
} from './names.ts'
export {
	itemMetadata,
	type ItemMetadata,
	readItemMetadata,
	type ReadItemMetadata,
	readRootMetadata,
	type ReadRootMetadata,
	readSchemaMappingMetadata,
	rootMetadata,
	type RootMetadata,
	schemaMappingMetadata,
} from './metadata.ts'
export { type MappedItem, readSchemaMapping, schemaMapping } from './schema-mapping.ts'
