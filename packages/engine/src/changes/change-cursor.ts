import { BackupError, type Change } from '@ydbackup/core'
import type { KeyComparator } from '@ydbackup/rows'

/** The changes of one link, one at a time. Keys must rise strictly. */
export interface ChangeCursor extends AsyncDisposable {
	/** Undefined before the first {@link next} and behind the last change. */
	readonly change: Change | undefined
	next(): Promise<void>
}

export function openChanges(
	path: string,
	batches: AsyncIterable<readonly Change[]>,
	compare: KeyComparator,
): ChangeCursor {
	const iterator = batches[Symbol.asyncIterator]()
	let batch: readonly Change[] = []
	let at = -1
	let change: Change | undefined

	return {
		get change() {
			return change
		},
		async next() {
			const last = change
			while (++at >= batch.length) {
				const { done, value } = await iterator.next()
				if (done === true) {
					change = undefined
					batch = []
					at = -1
					return
				}
				batch = value
				at = -1
			}
			change = batch[at]
			if (last !== undefined && compare(last.key, change!.key) >= 0) {
				throw new BackupError('ROWS_OUT_OF_ORDER', `${path}: changes do not come in the order of their keys`)
			}
		},
		async [Symbol.asyncDispose]() {
			await iterator.return?.()
		},
	}
}
