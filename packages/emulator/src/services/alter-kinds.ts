import type { AlterTableRequest } from '@ydbjs/api/table'
import { YdbError } from '../error.ts'

/** How many kinds of change a request asks for. Source: GetAlterOperationKinds in ydb_convert. */
export function alterKinds(request: AlterTableRequest): number {
	const { addColumns, dropColumns, alterColumns: columns, addColumnFamilies, alterColumnFamilies } = request
	const common =
		[addColumns, dropColumns, columns, addColumnFamilies, alterColumnFamilies].some(({ length }) => length > 0) ||
		request.ttlAction.case !== undefined ||
		request.tieringAction.case !== undefined ||
		request.alterStorageSettings !== undefined ||
		request.setCompactionPolicy !== '' ||
		request.alterPartitioningSettings !== undefined ||
		request.setKeyBloomFilter !== 0 ||
		request.setReadReplicasSettings !== undefined
	const { addIndexes, dropIndexes, addChangefeeds, dropChangefeeds, renameIndexes } = request
	const lists = [addIndexes, dropIndexes, addChangefeeds, dropChangefeeds, renameIndexes]
	const attributes = Object.keys(request.alterAttributes).length > 0
	return [common, attributes, ...lists.map(({ length }) => length > 0)].filter(Boolean).length
}

/** A request may ask for one kind of change, and for one index or changefeed. Source: rpc_alter_table.cpp. */
export function checkAlterRequest(request: AlterTableRequest): void {
	const kinds = alterKinds(request)
	if (kinds === 0) throw new YdbError('BAD_REQUEST', 'Empty alter')
	if (kinds > 1) throw new YdbError('UNSUPPORTED', 'Mixed alter is unsupported')
	const single = [
		[request.addIndexes, 'index can be added'],
		[request.dropIndexes, 'index can be removed'],
		[request.addChangefeeds, 'changefeed can be added'],
		[request.dropChangefeeds, 'changefeed can be removed'],
	] as const
	for (const [list, what] of single)
		if (list.length > 1) throw new YdbError('UNSUPPORTED', `Only one ${what} by one operation`)
}
