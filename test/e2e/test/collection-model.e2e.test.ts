import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isBackupError, type Snapshot } from '@ydbackup/core'
import { backup } from '@ydbackup/engine'
import { CollectionWorld } from '../src/collection-world.ts'

/** More in `npm run soak`. */
const RUNS = Number(process.env['SOAK_RUNS'] ?? 20)
/** The directory of all tables. */
const TOP = 'top'
const TABLES = ['dir/one', 'two'] as const
const KEYS = 6

type Step =
	| {
			readonly kind: 'write'
			readonly table: string
			/** Columns that must be there, and of which type. */
			readonly needs: readonly (readonly [column: string, type: string])[]
			readonly isPartial: boolean
			text(path: string): string
	  }
	| { readonly kind: 'column'; readonly table: string; readonly column: string; readonly type: string | undefined }
	| { readonly kind: 'index'; readonly table: string }
	| { readonly kind: 'again'; readonly table: string }
	| { readonly kind: 'link'; readonly full: boolean }

const TYPES = ['Int64', 'Utf8'] as const
const table = fc.constantFrom(...TABLES)
const key = fc.integer({ min: 0, max: KEYS })
const text = fc.oneof(
	fc.constant('NULL'),
	fc.integer({ min: 0, max: 99 }).map((value) => `"v${value}"u`),
)
const number = fc.oneof(fc.constant('NULL'), fc.integer({ min: -9, max: 9 }).map(String))

const write = fc
	.record({ table, key, a: text, b: number, how: fc.integer({ min: 0, max: 6 }) })
	.map(({ table: own, key: id, a, b, how }): Step => {
		const into =
			(mode: string, columns: string, values: string) =>
			(path: string): string =>
				`${mode} INTO \`${path}\` (id, ${columns}) VALUES (${id}, ${values})`
		const texts = [
			into('UPSERT', 'a, b', `${a}, ${b}`),
			into('REPLACE', 'a, b', `${a}, ${b}`),
			(path: string) => `DELETE FROM \`${path}\` WHERE id = ${id}`,
			(path: string) => `DELETE FROM \`${path}\` ON (id) VALUES (${id})`,
			into('UPSERT', 'a', a),
			into('REPLACE', 'b', b),
			(path: string) => `UPDATE \`${path}\` SET b = ${b} WHERE id = ${id}`,
		]
		return { kind: 'write', table: own, needs: [], isPartial: how >= 4, text: texts[how]! }
	})
const wider = fc
	.record({ table, key, column: fc.constantFrom('x', 'y'), type: fc.constantFrom(...TYPES), a: text, value: number })
	.map(({ table: own, key: id, column, type, value, a }): Step => {
		const literal = value === 'NULL' || type === 'Int64' ? value : `"${value}"u`
		return {
			kind: 'write',
			table: own,
			needs: [[column, type]],
			isPartial: true,
			text: (path) => `UPSERT INTO \`${path}\` (id, a, ${column}) VALUES (${id}, ${a}, ${literal})`,
		}
	})
/** A column of the name is dropped, if there is one, and perhaps another one made. */
const column = fc
	.record({ table, column: fc.constantFrom('x', 'y'), type: fc.constantFrom(undefined, ...TYPES) })
	.map((rest): Step => ({ kind: 'column', ...rest }))
const link = fc.integer({ min: 0, max: 4 }).map((dice): Step => ({ kind: 'link', full: dice === 0 }))
const steps = fc.array(
	fc.oneof(
		{ weight: 24, arbitrary: write },
		{ weight: 6, arbitrary: wider },
		{ weight: 3, arbitrary: column },
		{ weight: 1, arbitrary: table.map((own): Step => ({ kind: 'index', table: own })) },
		{ weight: 1, arbitrary: table.map((own): Step => ({ kind: 'again', table: own })) },
		{ weight: 7, arbitrary: link },
	),
	{ minLength: 5, maxLength: 45 },
)

/** Of all runs: a model whose links are all refused proves nothing. */
const counts = { links: 0, refused: 0, byCluster: 0, beyondCluster: 0 }

interface Known {
	readonly link: string
	readonly truth: readonly string[]
	/** Of the second witness: the increment by comparison that was taken at the same time, and a copy inside the database. */
	readonly diff?: { readonly id: string; readonly pin: Snapshot } | undefined
}

/** One run, in tables and a collection of its own. */
class Run {
	readonly #world: CollectionWorld
	readonly #columns: Map<string, Map<string, string>>
	readonly known: Known[] = []

	constructor(world: CollectionWorld) {
		this.#world = world
		this.#columns = new Map(TABLES.map((path) => [path, new Map()]))
	}

	place(path: string): string {
		return `${TOP}/${path}`
	}

	#create(path: string): Promise<unknown> {
		const place = this.place(path)
		return this.#world.queries.run(`CREATE TABLE \`${place}\` (id Uint64 NOT NULL, a Utf8, b Int64, PRIMARY KEY (id))`)
	}

	async begin(): Promise<void> {
		const { ydb } = this.#world
		for (const path of TABLES) await this.#create(path)
		const tables = TABLES.map((path) => this.place(path))
		await ydb.collections.create({ name: 'c', tables, isIncremental: true })
	}

	/** The tables as they are below a path. */
	truth(below = ''): Promise<string[]> {
		return Promise.all(TABLES.map((path) => this.#world.table(`${below}${this.place(path)}`)))
	}

	async do(step: Step, partial: boolean): Promise<void> {
		if (step.kind === 'link') return
		const { queries } = this.#world
		const columns = this.#columns.get(step.table)!
		const place = this.place(step.table)
		if (step.kind === 'write') {
			if (step.isPartial && !partial) return
			if (step.needs.every(([name, type]) => columns.get(name) === type)) await queries.run(step.text(place))
		} else if (step.kind === 'again') {
			await queries.run(`DROP TABLE \`${place}\``)
			await this.#create(step.table)
			columns.clear()
		} else if (step.kind === 'index') {
			if (columns.has('')) await queries.run(`ALTER TABLE \`${place}\` DROP INDEX by_a`)
			else await queries.run(`ALTER TABLE \`${place}\` ADD INDEX by_a GLOBAL ON (a)`)
			if (!columns.delete('')) columns.set('', 'index')
		} else {
			if (columns.delete(step.column)) await queries.run(`ALTER TABLE \`${place}\` DROP COLUMN ${step.column}`)
			if (step.type === undefined) return
			await queries.run(`ALTER TABLE \`${place}\` ADD COLUMN ${step.column} ${step.type}`)
			columns.set(step.column, step.type)
		}
	}

	async link(full: boolean, witness?: () => Promise<Known['diff']>): Promise<void> {
		const truth = await this.truth()
		const taken = await this.#world.take(full ? 'full' : 'incremental', { fullIfNeeded: true })
		this.known.push({ link: taken.link, truth, diff: await witness?.() })
		await this.#world.ship()
	}

	/** Everything that was shipped comes back as it was; what could not be carried was refused by name. */
	async compare(): Promise<void> {
		const listed = await this.#world.repository.list()
		const shipped = new Map(listed.map((entry) => [entry.manifest!.source.collection!.link, entry.id]))
		for (const [at, { link: name, truth }] of this.known.entries()) {
			const id = shipped.get(name)
			counts.links++
			if (id === undefined) {
				counts.refused++
				expect(name, 'a full backup is always taken').toMatch(/_incremental$/u)
				continue
			}
			await this.#world.restore(id, `r${at}`)
			expect(await this.truth(`r${at}/`), name).toEqual(truth)
		}
		expect(shipped.has(this.known[0]!.link)).toBe(true)
		await this.#compareNative(listed.at(-1)!.id, shipped)
	}

	/** The cluster's own RESTORE of the last one gives the same, or it is refused. */
	async #compareNative(id: string, shipped: ReadonlyMap<string, string>): Promise<void> {
		const { truth } = this.known.find(({ link: name }) => shipped.get(name) === id)!
		for (const path of TABLES) await this.#world.queries.run(`DROP TABLE \`${this.place(path)}\``)
		try {
			await this.#world.restoreNatively(id)
		} catch (error) {
			if (!isBackupError(error, 'UNSUPPORTED')) throw error
			counts.beyondCluster++
			return
		}
		counts.byCluster++
		expect(await this.truth(), `${id} by the cluster's own RESTORE`).toEqual(truth)
	}
}

async function openRun(world: CollectionWorld): Promise<Run> {
	const run = new Run(world)
	await run.begin()
	return run
}

test.each([
	{ mergeChanges: true, partial: true },
	// Where the server does not merge them, two partial updates of a row within an interval are beyond repair.
	{ mergeChanges: false, partial: false },
])(
	'any changes between any links come back at every link: %o',
	{ timeout: 60_000 + RUNS * 10_000 },
	async ({ mergeChanges, partial }) => {
		Object.assign(counts, { links: 0, refused: 0, byCluster: 0, beyondCluster: 0 })
		await fc.assert(
			fc.asyncProperty(steps, async (plan) => {
				await using world = await CollectionWorld.start({ mergeChanges, alterMembers: true })
				const run = await openRun(world)
				await run.link(true)
				for (const step of plan) {
					if (step.kind === 'link') await run.link(step.full)
					else await run.do(step, partial)
				}
				await run.link(false)
				await run.compare()
			}),
			{ numRuns: RUNS },
		)
		expect(counts.links).toBeGreaterThan(RUNS)
		expect(counts.refused / counts.links, JSON.stringify(counts)).toBeLessThan(0.4)
		expect(counts.byCluster, JSON.stringify(counts)).toBeGreaterThan(RUNS / 5)
	},
)

test(
	"the state by a collection's chain, by a chain of comparisons and in a pinned copy is the same at every quiet point",
	{ timeout: 60_000 + RUNS * 10_000 },
	async () => {
		await fc.assert(
			fc.asyncProperty(steps, async (plan) => {
				await using world = await CollectionWorld.start({ mergeChanges: true, alterMembers: true })
				const run = await openRun(world)
				const { source } = world.ydb
				const tables = TABLES.map((path) => run.place(path))
				const second = await CollectionWorld.emptyRepository()
				let parent: string | undefined
				const witness = async (): Promise<Known['diff']> => {
					const pin = await source.take({ tables, workDirectory: `~pin-${run.known.length}` })
					const options = { source, repository: second, tool: { name: 'model', version: '0' }, clock: world.clock }
					parent = (await backup({ ...options, ...(parent === undefined ? { paths: [TOP] } : { parent }) })).id
					return { id: parent, pin }
				}
				await run.link(true, witness)
				for (const step of plan) {
					if (step.kind === 'link') await run.link(step.full, witness)
					else await run.do(step, true)
				}
				const shipped = new Map(
					(await world.repository.list()).map(({ id, manifest }) => [manifest!.source.collection!.link, id]),
				)
				for (const [at, { link: name, diff }] of run.known.entries()) {
					const pinned = await Promise.all(diff!.pin.tables.map((one) => world.rowsOf(diff!.pin, one)))
					await world.restore(diff!.id, `d${at}`, second)
					expect(await run.truth(`d${at}/`), `${name} by comparison`).toEqual(pinned)
					const id = shipped.get(name)
					if (id === undefined) continue
					await world.restore(id, `r${at}`)
					expect(await run.truth(`r${at}/`), name).toEqual(pinned)
				}
				for (const { diff } of run.known) await diff!.pin.drop()
			}),
			{ numRuns: Math.ceil(RUNS / 2) },
		)
	},
)
