export {
	type ChangeMetadata,
	type ColumnState,
	METADATA_COLUMN,
	readChangeMetadata,
	writeChangeMetadata,
} from './change-metadata.ts'
export { type ColumnMap, type ColumnMapper, createColumnMapper, valueColumns } from './column-map.ts'
export { type ChangeReader, createChangeReader, type OpenChange, SAYS } from './read-changes.ts'
export { changeTableSchema, type ChangeWriter, createChangeWriter, freshColumnMap } from './write-changes.ts'
