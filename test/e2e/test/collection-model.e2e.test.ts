import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CollectionWorld } from '../src/collection-world.ts'

/** More in `npm run soak`. */
const RUNS = Number(process.env['SOAK_RUNS'] ?? 25)
const TABLES = ['dir/one', 'two'] as const
const KEYS = 6

type Step =
	| { readonly kind: 'write'; readonly text: string; readonly isPartial: boolean }
	| { readonly kind: 'scheme'; readonly table: string; readonly add: boolean; readonly column: string }
	| { readonly kind: 'link'; readonly full: boolean }

const table = fc.constantFrom(...TABLES)
const key = fc.integer({ min: 0, max: KEYS })
const text = fc.oneof(
	fc.constant('NULL'),
	fc.integer({ min: 0, max: 99 }).map((value) => `"v${value}"u`),
)
const number = fc.oneof(fc.constant('NULL'), fc.integer({ min: -9, max: 9 }).map(String))

const write = fc
	.record({ table, key, a: text, b: number, how: fc.integer({ min: 0, max: 6 }) })
	.map(({ table: path, key: id, a, b, how }): Step => {
		const into = (mode: string, columns: string, values: string): string =>
			`${mode} INTO \`${path}\` (id, ${columns}) VALUES (${id}, ${values})`
		const texts = [
			into('UPSERT', 'a, b', `${a}, ${b}`),
			into('REPLACE', 'a, b', `${a}, ${b}`),
			`DELETE FROM \`${path}\` WHERE id = ${id}`,
			`DELETE FROM \`${path}\` ON (id) VALUES (${id})`,
			into('UPSERT', 'a', a),
			into('REPLACE', 'b', b),
			`UPDATE \`${path}\` SET b = ${b} WHERE id = ${id}`,
		]
		return { kind: 'write', text: texts[how]!, isPartial: how >= 4 }
	})
const scheme = fc
	.record({ table, add: fc.boolean(), column: fc.constantFrom('x', 'y') })
	.map((rest): Step => ({ kind: 'scheme', ...rest }))
const link = fc.integer({ min: 0, max: 4 }).map((dice): Step => ({ kind: 'link', full: dice === 0 }))
const steps = fc.array(
	fc.oneof({ weight: 12, arbitrary: write }, { weight: 1, arbitrary: scheme }, { weight: 3, arbitrary: link }),
	{ minLength: 5, maxLength: 45 },
)

/** Of all runs: a model whose links are all refused proves nothing. */
const counts = { links: 0, refused: 0 }

interface Known {
	readonly link: string
	readonly truth: readonly string[]
}

async function follow(world: CollectionWorld, plan: readonly Step[], partial: boolean): Promise<void> {
	const { queries, ydb } = world
	const columns = new Map<string, Set<string>>(TABLES.map((path) => [path, new Set(['a', 'b'])]))
	for (const path of TABLES)
		await queries.run(`CREATE TABLE \`${path}\` (id Uint64 NOT NULL, a Utf8, b Int64, PRIMARY KEY (id))`)
	await ydb.collections.create({ name: 'c', tables: TABLES, isIncremental: true })
	const known: Known[] = []
	const truth = (below = ''): Promise<string[]> => Promise.all(TABLES.map((path) => world.table(`${below}${path}`)))
	const takeAndShip = async (full: boolean): Promise<void> => {
		const state = await truth()
		const taken = await world.take(full ? 'full' : 'incremental', { fullIfNeeded: true })
		known.push({ link: taken.link, truth: state })
		await world.ship()
	}
	await takeAndShip(true)
	for (const step of plan) {
		if (step.kind === 'write') {
			if (partial || !step.isPartial) await queries.run(step.text)
		} else if (step.kind === 'link') await takeAndShip(step.full)
		else {
			const own = columns.get(step.table)!
			if (step.add === own.has(step.column)) continue
			await queries.run(
				`ALTER TABLE \`${step.table}\` ${step.add ? 'ADD' : 'DROP'} COLUMN ${step.column}${step.add ? ' Int64' : ''}`,
			)
			if (step.add) own.add(step.column)
			else own.delete(step.column)
		}
	}
	await takeAndShip(false)
	// Everything that was shipped comes back as it was; what could not be carried was refused by name.
	const listed = await world.repository.list()
	const shipped = new Map(listed.map((entry) => [entry.manifest!.source.collection!.link, entry.id]))
	for (const [at, { link: name, truth: expected }] of known.entries()) {
		const id = shipped.get(name)
		counts.links++
		if (id === undefined) {
			counts.refused++
			expect(name, 'a full backup is always taken').toMatch(/_incremental$/)
			continue
		}
		await world.restore(id, `r${at}`)
		expect(await truth(`r${at}/`), name).toEqual(expected)
	}
	expect(shipped.has(known[0]!.link)).toBe(true)
}

test.each([
	{ mergeChanges: true, partial: true },
	// Where the server does not merge them, two partial updates of a row within an interval are beyond repair.
	{ mergeChanges: false, partial: false },
])(
	'any changes between any links come back at every link: %o',
	{ timeout: 60_000 + RUNS * 5_000 },
	async ({ mergeChanges, partial }) => {
		Object.assign(counts, { links: 0, refused: 0 })
		await fc.assert(
			fc.asyncProperty(steps, async (plan) => {
				await using world = await CollectionWorld.start({ mergeChanges, alterMembers: true })
				await follow(world, plan, partial)
			}),
			{ numRuns: RUNS },
		)
		expect(counts.links).toBeGreaterThan(RUNS)
		expect(counts.refused / counts.links, JSON.stringify(counts)).toBeLessThan(0.4)
	},
)
