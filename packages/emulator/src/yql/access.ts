/** What a query did to a table. */
export interface Access {
	readRows: number
	readBytes: number
	updatedRows: number
	updatedBytes: number
	deletedRows: number
}

/** A step of a plan. Source of the names: `kqp_query_plan.cpp` of YDB. */
export interface Step {
	readonly path: string
	readonly kind: 'reads' | 'writes'
	readonly type: 'FullScan' | 'Scan' | 'Lookup' | 'MultiLookup' | 'MultiUpsert' | 'MultiErase'
	readonly columns: readonly string[]
	/** Columns of the key that the condition binds. */
	readonly by: readonly string[]
}

/** What a query did to tables, by path. */
export class Accesses {
	readonly tables: Map<string, Access> = new Map()
	/** In the order of the statements. */
	readonly steps: Step[] = []

	of(path: string): Access {
		let access = this.tables.get(path)
		if (!access) {
			access = { readRows: 0, readBytes: 0, updatedRows: 0, updatedBytes: 0, deletedRows: 0 }
			this.tables.set(path, access)
		}
		return access
	}
}
