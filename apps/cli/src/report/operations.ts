import type { ClusterOperation } from '@ydbackup/core'
import { printable } from '../output/printable.ts'
import { spellCount } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** An operation of the cluster in results. */
export interface ShownOperation extends Omit<ClusterOperation, 'failure' | 'progress' | 'percent'> {
	readonly progress?: string
	readonly percent?: number
	/** Why it failed. */
	readonly failure?: { readonly code: string; readonly message: string }
}

/** The result of `operation list`. */
export interface ListedOperations {
	readonly database: string
	readonly kind: string
	readonly operations: readonly ShownOperation[]
}

/** The result of `operation cancel` and `operation forget`. */
export interface EndedOperation {
	readonly database: string
	readonly id: string
	readonly action: 'cancelled' | 'forgotten'
}

export function shownOperation({ failure, progress, percent, ...rest }: ClusterOperation): ShownOperation {
	return {
		...rest,
		...(progress !== undefined && { progress }),
		...(percent !== undefined && { percent }),
		...(failure && { failure: { code: failure.code, message: failure.message } }),
	}
}

export function listedOperationsText({ database, kind, operations }: ListedOperations): string {
	if (operations.length === 0) return `no operations of kind ${kind} in ${database}`
	return tableText(operations, [
		{ title: 'ID', cell: ({ id }) => printable(id) },
		{ title: 'STATE', cell: ({ state }) => state },
		{ title: 'PROGRESS', cell: ({ progress = '' }) => printable(progress) },
		{ title: 'DONE', align: 'right', cell: doneText },
		{ title: 'FAILURE', cell: ({ failure }) => printable(failure?.message ?? '') },
	])
}

export function shownOperationText(operation: ShownOperation): string {
	const { id, state, progress, items, failure } = operation
	const lines = [
		factsText({
			operation: printable(id),
			state,
			progress: progress && printable(progress),
			done: doneText(operation) || undefined,
			failure: failure && printable(failure.message),
		}),
	]
	if (items.length > 0) {
		lines.push(
			'',
			tableText(
				items.map((item, at) => ({ ...item, number: at + 1 })),
				[
					{ title: 'ITEM', align: 'right', cell: ({ number }) => spellCount(number) },
					{ title: 'PATH', cell: ({ path = '' }) => printable(path) },
					{ title: 'PARTS', align: 'right', cell: ({ partsTotal }) => spellCount(partsTotal) },
					{ title: 'DONE', align: 'right', cell: ({ partsDone }) => spellCount(partsDone) },
				],
			),
		)
	}
	return lines.join('\n')
}

export function endedOperationText({ id, action }: EndedOperation): string {
	const what = action === 'forgotten' ? 'is forgotten' : 'was asked to stop: ydbackup operation show says when it has'
	return `operation ${printable(id)} ${what}`
}

function doneText({ percent, items }: ShownOperation): string {
	if (percent !== undefined) return `${percent} %`
	const total = items.reduce((sum, { partsTotal }) => sum + partsTotal, 0)
	if (total === 0) return ''
	return `${spellCount(items.reduce((sum, { partsDone }) => sum + partsDone, 0))} of ${spellCount(total)} parts`
}
