import type { Operation } from '@ydbjs/api/operation'
import { logChanges } from '../collections/stream.ts'
import { YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { entriesOf } from '../store/batch.ts'
import { field } from '../wire/cursor.ts'
import { writtenColumns, writtenRows } from './bulk-upsert.ts'
import { success } from './envelope.ts'
import type { Partitioner } from './partitions.ts'

export interface BulkContext {
	readonly tree: SchemeTree
	readonly faults: Faults
	readonly partitioner: Partitioner
}

/** Tags of fields of BulkUpsertRequest. Source: protos/ydb_table.proto. */
const ARROW_SETTINGS = 0x3a
const CSV_SETTINGS = 0x42

/** Carries out a BulkUpsertRequest. `replayed`: it was carried out before, and is done again from the journal. */
export function bulkUpsert({ tree, faults, partitioner }: BulkContext, bytes: Buffer, replayed = false): Operation {
	const all = { start: 0, end: bytes.length }
	const path = field(bytes, all, 0x0a)
	const rows = field(bytes, all, 0x12)
	if (!path) throw new YdbError('BAD_REQUEST', 'the request names no table')
	if (field(bytes, all, ARROW_SETTINGS) ?? field(bytes, all, CSV_SETTINGS))
		throw new YdbError('UNSUPPORTED', 'BulkUpsert of CSV and Arrow is not emulated')
	const table = tree.table(bytes.toString('utf8', path.start, path.end))
	if (!replayed && faults.overloadBulkUpsertTimes > 0) {
		faults.overloadBulkUpsertTimes--
		throw new YdbError('OVERLOADED', 'overloaded (a fault that was asked for)')
	}
	const refusal = table.bulkRefusal
	if (refusal) throw new YdbError('SCHEME_ERROR', refusal)
	if (rows) {
		const batch = writtenRows(table, bytes, rows)
		if (replayed || !faults.dropBulkUpsertSilently) {
			// That streams see bulk writes as updates: datashard_common_upload.cpp.
			if (table.streams.size > 0) {
				const changed = {
					op: 'update' as const,
					entries: entriesOf(batch),
					columns: writtenColumns(table, bytes, rows),
				}
				logChanges(
					table,
					tree.absolute(bytes.toString('utf8', path.start, path.end)),
					table.rows,
					[changed],
					tree.now(),
				)
			}
			table.rows.applyBatch(batch)
		}
		if (!replayed) partitioner.wrote(table, rows.end - rows.start)
	}
	return success()
}
