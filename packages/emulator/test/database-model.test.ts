// Random changes of schemes and rows, transactions that interleave, crashes, splits and merges, against a model: same answers.
// More runs: npm run soak.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TableServiceDefinition } from '@ydbjs/api/table'
import { type Emulator, startEmulator } from '@ydbackup/emulator'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Answer, Client } from './clients.ts'
import {
	type Cell,
	COLUMNS,
	contents,
	type Doing,
	isNumber,
	literal,
	type ModelTable,
	ModelTransaction,
	PRECONDITION_FAILED,
	type Read,
	type Row,
	SCHEME_ERROR,
	SUCCESS,
	type Tables,
} from './model/database.ts'

let directory = ''
beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydb-emulator-model-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** Most of it on one table, so that what is done meets what was done. */
const name = fc.constantFrom('t', 't', 't', 't', 'u', 'dir/v')
const column = fc.constantFrom(...COLUMNS)
const id = fc.nat(5)
const range = fc.tuple(id, id).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
/** Cells for all columns; a statement takes those that it names and its table has. */
const cells = fc.record({
	a: fc.constantFrom<Cell>(null, 0, 1, 2, -7),
	b: fc.constantFrom<Cell>(null, 0, 4, 5),
	c: fc.constantFrom<Cell>(null, '', 'x', 'y'),
	d: fc.constantFrom<Cell>(null, 'z', 'w', 'snow ☃'),
})
const given = fc.uniqueArray(fc.tuple(id, cells), { minLength: 1, maxLength: 4, selector: ([key]) => key })
const some = fc.subarray([...COLUMNS], { minLength: 1 })
/** A transaction that the statement belongs to, if any. */
const slot = fc.constantFrom(undefined, undefined, 0, 1)

type Statement =
	| {
			do: 'UPSERT' | 'REPLACE' | 'INSERT' | 'bulk' | 'UPDATE ON'
			table: string
			given: [number, Record<string, Cell>][]
			some: string[]
	  }
	| { do: 'DELETE ON'; table: string; ids: number[] }
	| {
			do: 'UPDATE' | 'DELETE' | 'SELECT'
			table: string
			range: readonly [number, number]
			column: string
			cells: Record<string, Cell>
	  }
	| { do: 'SELECT VIEW' | 'COUNT'; table: string; column: string; cells: Record<string, Cell> }
type Step =
	| { kind: 'statement'; slot: number | undefined; statement: Statement }
	| { kind: 'end'; slot: number; commit: boolean }
	| { kind: 'create'; table: string; some: string[]; indexed: string; splits: number[] }
	| { kind: 'add' | 'drop column' | 'index' | 'drop index'; table: string; column: string }
	| { kind: 'rename'; table: string; to: string }
	| { kind: 'drop'; table: string }
	| { kind: 'split' | 'merge'; table: string; partition: number }
	| { kind: 'crash' | 'restart' }

const statement: fc.Arbitrary<Statement> = fc.oneof(
	{
		weight: 3,
		arbitrary: fc.record({
			do: fc.constantFrom('UPSERT', 'UPSERT', 'REPLACE', 'INSERT', 'bulk', 'UPDATE ON'),
			table: name,
			given,
			some,
		}),
	},
	fc.record({ do: fc.constant('DELETE ON'), table: name, ids: fc.uniqueArray(id, { minLength: 1, maxLength: 4 }) }),
	fc.record({ do: fc.constantFrom('UPDATE', 'DELETE', 'SELECT'), table: name, range, column, cells }),
	fc.record({ do: fc.constantFrom('SELECT VIEW', 'COUNT'), table: name, column, cells }),
) as fc.Arbitrary<Statement>
const step = fc.oneof(
	{ weight: 24, arbitrary: fc.record({ kind: fc.constant('statement'), slot, statement }) },
	{ weight: 3, arbitrary: fc.record({ kind: fc.constant('end'), slot: fc.nat(1), commit: fc.boolean() }) },
	{
		weight: 2,
		arbitrary: fc.record({
			kind: fc.constant('create'),
			table: name,
			some,
			indexed: fc.constantFrom('', ...COLUMNS),
			splits: fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: 2 }),
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({ kind: fc.constantFrom('add', 'drop column', 'index', 'drop index'), table: name, column }),
	},
	fc.record({ kind: fc.constant('rename'), table: name, to: name }),
	fc.record({ kind: fc.constant('drop'), table: name }),
	{ weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('split', 'merge'), table: name, partition: fc.nat(2) }) },
	fc.record({ kind: fc.constantFrom('crash', 'restart') }),
) as fc.Arbitrary<Step>

/** A statement as text, and what it means. */
function meant(statement: Statement, table: ModelTable): { text: string; doing: Doing } {
	const at = `\`${statement.table}\``
	const reading = (covers: Read['covers']): Read[] => [{ table: statement.table, covers }]
	const of = (tables: Tables): ModelTable => tables.get(statement.table)!
	switch (statement.do) {
		case 'UPSERT':
		case 'REPLACE':
		case 'INSERT':
		case 'bulk':
		case 'UPDATE ON': {
			const names = statement.some.filter((each) => table.columns.has(each))
			const ids = new Set(statement.given.map(([key]) => key))
			const values = statement.given.map(
				([key, row]) => `(${[key, ...names.map((each) => literal(row[each]!))].join(', ')})`,
			)
			const into = `${at} (${['id', ...names].join(', ')}) VALUES ${values.join(', ')}`
			const upserts = statement.do === 'UPSERT' || statement.do === 'bulk'
			// Cells that stay as they are are read.
			const looks = !(statement.do === 'REPLACE' || (upserts && names.length === table.columns.size))
			return {
				text:
					statement.do === 'UPDATE ON'
						? `UPDATE ${at} ON (${['id', ...names].join(', ')}) VALUES ${values.join(', ')}`
						: `${statement.do} INTO ${into}`,
				doing: (tables) => {
					const { rows } = of(tables)
					const reads = looks ? reading((key) => ids.has(key)) : []
					if (statement.do === 'INSERT' && statement.given.some(([key]) => rows.has(key)))
						return { status: PRECONDITION_FAILED, reads }
					const wrote = statement.do !== 'UPDATE ON' || statement.given.some(([key]) => rows.has(key))
					for (const [key, row] of statement.given) {
						if (statement.do === 'UPDATE ON' && !rows.has(key)) continue
						const kept = statement.do === 'REPLACE' ? [] : (rows.get(key) ?? [])
						rows.set(key, new Map([...kept, ...names.map((each) => [each, row[each]!] as const)]))
					}
					return { status: SUCCESS, reads, wrote }
				},
			}
		}
		case 'DELETE ON':
			return {
				text: `DELETE FROM ${at} ON (id) VALUES ${statement.ids.map((key) => `(${key})`).join(', ')}`,
				doing: (tables) => {
					for (const key of statement.ids) of(tables).rows.delete(key)
					return { status: SUCCESS, reads: [], wrote: true }
				},
			}
		case 'UPDATE':
		case 'DELETE':
		case 'SELECT': {
			const [from, to] = statement.range
			const within = (key: number): boolean => key >= from && key <= to
			const where = `WHERE id >= ${from} AND id <= ${to}`
			const [first = 'id', second] = [statement.column, ...table.columns].filter((each) => table.columns.has(each))
			const value = statement.cells[first] ?? null
			const texts = {
				UPDATE: `UPDATE ${at} SET ${first} = ${literal(value)} ${where}`,
				DELETE: `DELETE FROM ${at} ${where}`,
				SELECT: `SELECT id, ${[...new Set([first, second ?? first])].join(', ')} FROM ${at} ${where} ORDER BY id`,
			}
			const shown = [...new Set([first, second ?? first])]
			return {
				text: texts[statement.do],
				doing: (tables) => {
					const { rows } = of(tables)
					const met = [...rows].filter(([key]) => within(key)).sort(([a], [b]) => a - b)
					for (const [key, row] of statement.do === 'SELECT' ? [] : met)
						if (statement.do === 'DELETE') rows.delete(key)
						else rows.set(key, new Map([...row, [first, value]]))
					const cellsOf = ([key, row]: readonly [number, Row]): Cell[] => [
						key,
						...shown.map((each) => row.get(each) ?? null),
					]
					const reads = reading(within)
					return statement.do === 'SELECT'
						? { status: SUCCESS, reads, rows: met.map(cellsOf) }
						: { status: SUCCESS, reads, wrote: met.length > 0 }
				},
			}
		}
		case 'SELECT VIEW':
		case 'COUNT': {
			const index = [...table.indexes].find(([, each]) => each === statement.column)?.[0]
			const wanted = table.columns.has(statement.column) ? (statement.cells[statement.column] ?? null) : null
			const filter = wanted === null ? '' : ` WHERE ${statement.column} = ${literal(wanted)}`
			const view = statement.do === 'SELECT VIEW' && index !== undefined ? ` VIEW ${index}` : ''
			const what = statement.do === 'COUNT' ? 'COUNT(*)' : 'id'
			return {
				text: `SELECT ${what} FROM ${at}${view}${filter}${what === 'id' ? ' ORDER BY id' : ''}`,
				doing: (tables) => {
					const met = [...of(tables).rows].filter(([, row]) => wanted === null || row.get(statement.column) === wanted)
					const ids = met.map(([key]) => [key]).sort(([a], [b]) => a! - b!)
					return { status: SUCCESS, reads: reading(() => true), rows: what === 'id' ? ids : [[ids.length]] }
				},
			}
		}
	}
}

/** The emulator and the model, side by side. */
class Pair {
	readonly #place: string
	#emulator!: Emulator
	#client!: Client
	/** A session each, so that transactions are of different clients. */
	readonly #others: (Client | undefined)[] = [undefined, undefined]
	readonly #open: ({ model: ModelTransaction; id: string } | undefined)[] = [undefined, undefined]
	#crashes = 0
	readonly tables: Tables = new Map()

	constructor(place: string) {
		this.#place = place
	}

	get #dataDir(): string {
		return join(this.#place, String(this.#crashes))
	}

	async start(): Promise<void> {
		this.#emulator = await startEmulator({ dataDir: this.#dataDir, compactAfterBytes: 4000 })
		this.#client = await Client.open(this.#emulator)
	}

	async stop(): Promise<void> {
		for (const at of [0, 1]) {
			await this.#others[at]?.[Symbol.asyncDispose]()
			this.#others[at] = this.#open[at] = undefined
		}
		await this.#client[Symbol.asyncDispose]()
		await this.#emulator.close()
	}

	get #isOpen(): boolean {
		return this.#open.some((each) => each !== undefined)
	}

	async run(step: Step): Promise<void> {
		switch (step.kind) {
			case 'statement':
				return this.#statement(step.statement, step.slot)
			case 'end':
				return this.#end(step.slot, step.commit)
			case 'crash': {
				// What was acknowledged is in the files of the running emulator: a copy of them is what a kill leaves.
				const from = this.#dataDir
				this.#crashes++
				await cp(from, this.#dataDir, { recursive: true, filter: (path) => !path.endsWith('lock') })
				await this.stop()
				return this.start()
			}
			case 'restart':
				await this.stop()
				return this.start()
			case 'split':
			case 'merge':
				if (this.tables.has(step.table)) this.#emulator.control[step.kind](`/local/${step.table}`, step.partition)
				return
			default:
				// Whom a change of the scheme interrupts is a matter of other tests.
				if (!this.#isOpen) await this.#scheme(step)
		}
	}

	async #scheme(
		step: Exclude<Step, { kind: 'statement' | 'end' | 'crash' | 'restart' | 'split' | 'merge' }>,
	): Promise<void> {
		const table = this.tables.get(step.table)
		const at = `\`${step.table}\``
		const expects = async (text: string, possible: boolean, work: () => void): Promise<void> => {
			const { status, message } = await this.#client.query(text)
			expect([status === SUCCESS, possible ? '' : status], `${text}: ${message}`).toEqual([
				possible,
				possible ? '' : SCHEME_ERROR,
			])
			if (possible) work()
		}
		switch (step.kind) {
			case 'create': {
				const indexed = step.some.includes(step.indexed) ? `, INDEX by_${step.indexed} GLOBAL ON (${step.indexed})` : ''
				const columns = step.some.map((each) => `${each} ${isNumber(each) ? 'Int64' : 'Utf8'}`)
				const keys = step.splits.toSorted((a, b) => a - b)
				const parts = keys.length > 0 ? ` WITH (PARTITION_AT_KEYS = (${keys.join(', ')}))` : ''
				return expects(
					`CREATE TABLE ${at} (id Uint32 NOT NULL, ${columns.join(', ')}, PRIMARY KEY (id)${indexed})${parts}`,
					!table,
					() =>
						this.tables.set(step.table, {
							columns: new Set(step.some),
							indexes: new Map(indexed === '' ? [] : [[`by_${step.indexed}`, step.indexed]]),
							rows: new Map(),
						}),
				)
			}
			case 'drop':
				return expects(`DROP TABLE ${at}`, table !== undefined, () => this.tables.delete(step.table))
			case 'rename':
				return expects(
					`ALTER TABLE ${at} RENAME TO \`${step.to}\``,
					table !== undefined && !this.tables.has(step.to),
					() => {
						this.tables.delete(step.table)
						this.tables.set(step.to, table!)
					},
				)
			case 'add':
				return expects(
					`ALTER TABLE ${at} ADD COLUMN ${step.column} ${isNumber(step.column) ? 'Int64' : 'Utf8'}`,
					table !== undefined && !table.columns.has(step.column),
					() => table!.columns.add(step.column),
				)
			case 'drop column':
				return expects(
					`ALTER TABLE ${at} DROP COLUMN ${step.column}`,
					table?.columns.has(step.column) === true && ![...table.indexes.values()].includes(step.column),
					() => {
						table!.columns.delete(step.column)
						for (const [key, row] of table!.rows)
							table!.rows.set(key, new Map([...row].filter(([each]) => each !== step.column)))
					},
				)
			case 'index':
				return expects(
					`ALTER TABLE ${at} ADD INDEX by_${step.column} GLOBAL ON (${step.column})`,
					table?.columns.has(step.column) === true && !table.indexes.has(`by_${step.column}`),
					() => table!.indexes.set(`by_${step.column}`, step.column),
				)
			case 'drop index':
				return expects(
					`ALTER TABLE ${at} DROP INDEX by_${step.column}`,
					table?.indexes.has(`by_${step.column}`) === true,
					() => table!.indexes.delete(`by_${step.column}`),
				)
		}
	}

	async #statement(statement: Statement, slot: number | undefined): Promise<void> {
		const table = this.tables.get(statement.table)
		if (!table) {
			if (slot === undefined)
				expect((await this.#client.query(`SELECT * FROM \`${statement.table}\``)).status).toBe(SCHEME_ERROR)
			return
		}
		if (statement.do === 'bulk') return this.#bulk(statement, table)
		const { text, doing } = meant(statement, table)
		const open = slot === undefined ? undefined : this.#open[slot]
		const client = slot === undefined ? this.#client : (this.#others[slot] ??= await Client.open(this.#emulator))
		const control = slot === undefined ? undefined : open ? { id: open.id } : { begin: true }
		const answer = await client.query(text, {}, control)
		const transaction = slot === undefined ? undefined : (open?.model ?? new ModelTransaction(this.tables))
		const wanted = transaction ? transaction.run(doing) : doing(this.tables)
		expect([answer.status, rowsOf(answer)], `${text}: ${answer.message}`).toEqual([wanted.status, wanted.rows ?? []])
		if (slot !== undefined)
			this.#open[slot] = wanted.status === SUCCESS ? { model: transaction!, id: open?.id ?? answer.txId } : undefined
	}

	async #end(slot: number, commit: boolean): Promise<void> {
		const open = this.#open[slot]
		if (!open) return
		const { service, sessionId } = this.#others[slot]!
		const request = { sessionId, txId: open.id }
		const { status } = commit ? await service.commitTransaction(request) : await service.rollbackTransaction(request)
		expect(status, commit ? 'commit' : 'rollback').toBe(commit ? open.model.commit(this.tables) : SUCCESS)
		this.#open[slot] = undefined
	}

	/** Seen at once: not while a transaction may have read the table, or not. */
	async #bulk(statement: Extract<Statement, { given: unknown }>, table: ModelTable): Promise<void> {
		if (this.#isOpen) return
		const names = statement.some.filter((each) => table.columns.has(each))
		const optional = (typeId: number) => ({
			type: { case: 'optionalType' as const, value: { item: { type: { case: 'typeId' as const, value: typeId } } } },
		})
		const members = [
			{ name: 'id', type: { type: { case: 'typeId' as const, value: 2 } } },
			...names.map((each) => ({ name: each, type: optional(isNumber(each) ? 3 : 0x1200) })),
		]
		const value = (cell: Cell) =>
			cell === null
				? { value: { case: 'nullFlagValue' as const, value: 0 } }
				: typeof cell === 'number'
					? { value: { case: 'int64Value' as const, value: BigInt(cell) } }
					: { value: { case: 'textValue' as const, value: cell } }
		const { operation } = await this.#client.driver.createClient(TableServiceDefinition).bulkUpsert({
			table: `/local/${statement.table}`,
			rows: {
				type: { type: { case: 'listType', value: { item: { type: { case: 'structType', value: { members } } } } } },
				value: {
					items: statement.given.map(([key, row]) => ({
						items: [{ value: { case: 'uint32Value' as const, value: key } }, ...names.map((each) => value(row[each]!))],
					})),
				},
			},
		})
		const possible = table.indexes.size === 0
		expect(operation!.status, operation!.issues[0]?.message).toBe(possible ? SUCCESS : SCHEME_ERROR)
		if (possible) meant(statement, table).doing(this.tables)
	}

	/** All rows, and those of the tables of indexes, as queries give them. */
	async compare(): Promise<void> {
		for (const [path, table] of this.tables) {
			const names = ['id', ...[...table.columns].sort()]
			expect(await this.#client.rows(`SELECT ${names.join(', ')} FROM \`${path}\` ORDER BY id`), path).toEqual(
				contents(table),
			)
			for (const [index, indexed] of table.indexes) {
				const found = await this.#client.rows(
					`SELECT id, ${indexed} FROM \`${path}/${index}/indexImplTable\` ORDER BY id`,
				)
				expect(found, `${path}/${index}`).toEqual(
					[...table.rows].sort(([a], [b]) => a - b).map(([key, row]) => [key, row.get(indexed) ?? null]),
				)
			}
		}
	}
}

const rowsOf = ({ sets }: Answer): Cell[][] =>
	(sets[0]?.rows ?? []).map(({ items }) =>
		items.map(({ value }) =>
			value.case === 'nullFlagValue'
				? null
				: typeof value.value === 'bigint'
					? Number(value.value)
					: (value.value as Cell),
		),
	)

test('schemes, rows, transactions, crashes and partitions are those of the model', { timeout: 600_000 }, async () => {
	expect.hasAssertions()
	let runs = 0
	await fc.assert(
		fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
			const pair = new Pair(join(directory, String(runs++)))
			// Something to begin with: most steps need a table.
			await pair.start()
			try {
				await pair.run({ kind: 'create', table: 't', some: ['a', 'c'], indexed: 'c', splits: [4] })
				await pair.run({ kind: 'create', table: 'u', some: ['a', 'b', 'd'], indexed: '', splits: [] })
				for (const each of steps) await pair.run(each)
				await pair.compare()
				await pair.run({ kind: 'crash' })
				await pair.compare()
			} finally {
				await pair.stop()
			}
		}),
		{ numRuns: Number(process.env['SOAK_RUNS'] ?? 20), ...(process.env['SOAK'] === undefined && { seed: 20_264 }) },
	)
})
