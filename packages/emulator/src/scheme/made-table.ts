import { RowStore } from '../store/row-store.ts'
import { Table } from './table.ts'

/** A table whose rows are made from something else, and that nobody writes to. */
export abstract class MadeTable extends Table {
	/** Its rows as of now. */
	protected abstract made(): RowStore

	override get rows(): RowStore {
		return this.made()
	}

	override set rows(_: RowStore) {
		throw new TypeError(this.refusesWrites)
	}

	abstract override get refusesWrites(): string
}
