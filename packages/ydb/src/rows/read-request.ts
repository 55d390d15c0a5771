import { create, toBinary } from '@bufbuild/protobuf'
import { ReadTableRequestSchema } from '@ydbjs/api/table'
import type { KeyRange, TableSchema } from '@ydbackup/core'
import { concatBytes, keyBoundTypedValue, keyTypes, lengthDelimited } from '@ydbackup/rows'

/** Source: `Ydb.Table.ReadTableRequest` and `Ydb.Table.KeyRange` in protos/ydb_table.proto. */
const KEY_RANGE = 0x1a
const GREATER = 0x0a
const GREATER_OR_EQUAL = 0x12
const LESS = 0x1a
const LESS_OR_EQUAL = 0x22

/** Bytes of one message that a read asks for: what each one costs beside its bytes is felt below half a megabyte. */
export const BATCH_BYTES: number = 512 << 10

/** The same for two streams that are read in turns: each change from one to the other costs too. */
export const BATCH_BYTES_IN_TURNS: number = 1 << 20

/** The bytes of a request for the rows of a range, ordered, in columns of the schema's order. Bounds are spliced from key bytes. */
export function readRequest(
	sessionId: string,
	path: string,
	schema: TableSchema,
	range: KeyRange,
	batchBytes: number,
): Uint8Array {
	const plain = toBinary(
		ReadTableRequestSchema,
		create(ReadTableRequestSchema, {
			sessionId,
			path,
			columns: schema.columns.map(({ name }) => name),
			ordered: true,
			batchLimitBytes: BigInt(batchBytes),
		}),
	)
	const types = keyTypes(schema)
	const bounds: Uint8Array[] = []
	if (range.from)
		bounds.push(
			lengthDelimited(range.from.inclusive ? GREATER_OR_EQUAL : GREATER, keyBoundTypedValue(types, range.from.key)),
		)
	if (range.to)
		bounds.push(lengthDelimited(range.to.inclusive ? LESS_OR_EQUAL : LESS, keyBoundTypedValue(types, range.to.key)))
	return bounds.length === 0 ? plain : concatBytes([plain, lengthDelimited(KEY_RANGE, concatBytes(bounds))])
}
