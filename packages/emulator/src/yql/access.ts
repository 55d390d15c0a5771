/** What a query did to a table. */
export interface Access {
	readRows: number
	readBytes: number
	updatedRows: number
	updatedBytes: number
	deletedRows: number
}

/** What a query did to tables, by path. */
export class Accesses {
	readonly tables: Map<string, Access> = new Map()

	of(path: string): Access {
		let access = this.tables.get(path)
		if (!access) {
			access = { readRows: 0, readBytes: 0, updatedRows: 0, updatedBytes: 0, deletedRows: 0 }
			this.tables.set(path, access)
		}
		return access
	}
}
