// A database as simple as it can be: maps of rows, copied whole for every transaction.

export type Cell = number | string | null
export type Row = ReadonlyMap<string, Cell>
/** Columns that rows may have besides their key `id`; the first two hold numbers. */
export const COLUMNS = ['a', 'b', 'c', 'd'] as const
export const isNumber = (column: string): boolean => column === 'a' || column === 'b'

export interface ModelTable {
	readonly columns: Set<string>
	/** Index name → column. */
	readonly indexes: Map<string, string>
	readonly rows: Map<number, Row>
}
export type Tables = Map<string, ModelTable>

export function copied(tables: Tables): Tables {
	return new Map(
		[...tables].map(([name, { columns, indexes, rows }]) => [
			name,
			{ columns: new Set(columns), indexes: new Map(indexes), rows: new Map(rows) },
		]),
	)
}

/** Which keys of a table a statement looks at. */
export interface Read {
	readonly table: string
	readonly covers: (id: number) => boolean
}

/** What a statement does to tables; what is refused is refused whole. */
export type Doing = (tables: Tables) => {
	readonly status: number
	readonly rows?: Cell[][]
	readonly reads: Read[]
	/** Whether it wrote rows: an UPDATE that meets none does not. */
	readonly wrote?: boolean
}

const same = (a: Row | undefined, b: Row | undefined): boolean =>
	a === b || (a !== undefined && b !== undefined && JSON.stringify([...a].sort()) === JSON.stringify([...b].sort()))

/** An open transaction: works on a copy, and at its commit does all again where nothing that it read has changed. */
export class ModelTransaction {
	readonly #base: Tables
	readonly #own: Tables
	readonly #reads: Read[] = []
	readonly #done: Doing[] = []

	constructor(tables: Tables) {
		this.#base = copied(tables)
		this.#own = copied(tables)
	}

	run(doing: Doing): ReturnType<Doing> {
		const answer = doing(this.#own)
		this.#reads.push(...answer.reads)
		if (answer.wrote === true) this.#done.push(doing)
		return answer
	}

	commit(tables: Tables): number {
		if (this.#done.length === 0) return SUCCESS
		for (const { table, covers } of this.#reads) {
			const [before, now] = [this.#base.get(table)!.rows, tables.get(table)!.rows]
			for (const id of new Set([...before.keys(), ...now.keys()]))
				if (covers(id) && !same(before.get(id), now.get(id))) return ABORTED
		}
		for (const doing of this.#done) doing(tables)
		return SUCCESS
	}
}

export const SUCCESS = 400_000
export const ABORTED = 400_040
export const SCHEME_ERROR = 400_070
export const PRECONDITION_FAILED = 400_120

/** As YQL writes it. */
export function literal(cell: Cell): string {
	return cell === null ? 'NULL' : typeof cell === 'number' ? String(cell) : `"${cell}"u`
}

/** Rows in the order of their keys, all columns by name. */
export function contents({ columns, rows }: ModelTable): Cell[][] {
	const names = [...columns].sort()
	return [...rows].sort(([a], [b]) => a - b).map(([id, row]) => [id, ...names.map((name) => row.get(name) ?? null)])
}
