import { protoString, type ProtoText } from '@ydbackup/core'

/** Whether a `CreateTableRequest` is one of a table that is stored by columns. */
export function isColumnTable(scheme: ProtoText): boolean {
	return protoString(scheme, 'store_type') === 'STORE_TYPE_COLUMN'
}
