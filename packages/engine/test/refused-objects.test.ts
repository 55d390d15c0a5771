import type { DefinedKind } from '@ydbackup/core'
import { BackupError } from '@ydbackup/core'
import { expect, test } from 'vitest'
import { circlesIn, orderObjects, type PlannedObject } from '../src/restore/order-objects.ts'
import { FakeDatabase } from './fake-database.ts'
import { createWorld, type World } from './world.ts'

/** A world with these views, each over the paths that it reads, and replications, each filling the tables that it names. */
async function worldOf(
	objects: Readonly<Record<string, { readonly kind: DefinedKind; readonly text: string }>>,
): Promise<World> {
	const world = await createWorld()
	for (const [path, { kind, text }] of Object.entries(objects))
		world.database.addObject(path, kind, { form: 'statements', text })
	await world.backup()
	return world
}

const view = (path: string, ...reads: readonly string[]) => ({
	kind: 'view' as const,
	text: `CREATE VIEW \`${path}\` WITH (security_invoker = TRUE) AS\nSELECT * FROM ${reads.map((read) => `\`/local/${read}\``).join(' CROSS JOIN ')}`,
})

/** A database that makes a view only when all that it reads is there, as a server does that checks it. */
function strict(): FakeDatabase {
	const target = new FakeDatabase()
	const create = target.createObject.bind(target)
	target.createObject = async (path, kind, definition, options) => {
		const text = definition.form === 'statements' ? definition.text : ''
		const reads = [...text.matchAll(/(?:FROM|JOIN) `\/local\/([^`]+)`/g)].map(([, read]) => read!)
		const lost = reads.find((read) => !target.nodes.has(read))
		if (lost !== undefined) {
			target.calls.push(`createObject ${path}`)
			throw new BackupError('PATH_NOT_FOUND', `Cannot find table ${lost}`)
		}
		await create(path, kind, definition, options)
	}
	return target
}

test('views that read each other in circles are named and refused, all else is there, and nobody tries for ever', async () => {
	const world = await worldOf({
		'v/a': view('a', 'v/b'),
		'v/b': view('b', 'v/c'),
		'v/c': view('c', 'v/a'),
		'v/self': view('self', 'v/self'),
		'v/over': view('over', 'v/a', 'plain'),
		'v/fine': view('fine', 'v/base'),
		'v/base': view('base', 'plain'),
	})
	const target = strict()
	const result = await world.restore(target)
	expect(result.outcome).toBe('partial')
	expect(result.problems.map(({ path }) => path).toSorted()).toEqual(['v/a', 'v/b', 'v/c', 'v/over', 'v/self'])
	expect(result.problems[0]!.message).toContain('the view was not restored: Cannot find table')
	expect([...target.nodes.keys()].filter((path) => path.startsWith('v/')).toSorted()).toEqual(['v/base', 'v/fine'])
	const warned = result.warnings.map(({ message }) => message).filter((message) => message.includes('circle'))
	expect(warned.toSorted()).toEqual([
		'objects need each other in a circle: v/a → v/b → v/c → v/a',
		'objects need each other in a circle: v/self → v/self',
	])
	expect(target.calls.filter((call) => call.startsWith('createObject')).length).toBeLessThan(7 * 7)

	// A server that checks nothing takes them as they were.
	const lenient = new FakeDatabase()
	expect(await world.restore(lenient)).toMatchObject({ outcome: 'complete' })
	expect(lenient.nodes.has('v/over')).toBe(true)
})

test('a replication that fills what another one reads, and the other way round, waits for nobody', async () => {
	const replication = (path: string, from: string, to: string) => ({
		kind: 'replication' as const,
		text: `CREATE ASYNC REPLICATION \`${path}\` FOR \`/local/${from}\` AS \`/local/${to}\` WITH (CONNECTION_STRING = 'grpc://here:1/?database=/local', TOKEN_SECRET_NAME = 'far')`,
	})
	const world = await worldOf({
		one: replication('one', 'r/a', 'r/b'),
		two: replication('two', 'r/b', 'r/a'),
		three: replication('three', 'plain', 'plain'),
	})
	const target = new FakeDatabase()
	target.faults.before = (call, path) => {
		if (call === 'createObject' && path === 'two') throw new BackupError('DATABASE_REFUSED', 'no secret far')
	}
	const { problems, outcome } = await world.restore(target)
	expect(outcome).toBe('partial')
	expect(problems.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
		{ path: 'three', message: expect.stringContaining('it fills the table plain, which was restored with its rows') },
		{
			path: 'two',
			message: expect.stringMatching(
				/^the replication was not restored: no secret far.*it needs the secrets far, which are in no backup: create them/,
			),
		},
	])
	expect(target.nodes.has('one')).toBe(true)
})

test('ten thousand objects in one chain or one circle are ordered in time', () => {
	const most = 10_000
	const object = (at: number, needs: readonly string[]): PlannedObject => ({
		stored: { kind: 'view' } as PlannedObject['stored'],
		target: `v${String(at).padStart(6, '0')}`,
		definition: { form: 'statements', text: '' },
		needs,
		fills: [],
		secrets: [],
	})
	const name = (at: number): string => `v${String(at).padStart(6, '0')}`
	// Each needs the next one: the worst order there is.
	const chain = Array.from({ length: most }, (_, at) => object(at, at + 1 < most ? [name(at + 1)] : []))
	const begun = performance.now()
	expect(orderObjects(chain).map(({ target }) => target)).toEqual(chain.map(({ target }) => target).toReversed())
	expect(circlesIn(chain)).toEqual([])
	const circle = chain.map((each, at) => (at === most - 1 ? { ...each, needs: [name(0)] } : each))
	expect(orderObjects(circle)).toHaveLength(most)
	const [said, ...others] = circlesIn(circle)
	expect(others).toEqual([])
	expect(said).toMatch(/^v000000 → v000001 → .* → … 9980 more → v000000$/)
	expect(performance.now() - begun).toBeLessThan(5_000)
})
