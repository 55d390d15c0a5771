import { Repository } from '@ydbackup/catalog'
import { BackupError, type ErrorCode, type ObjectDefinition, type ObjectPart } from '@ydbackup/core'
import { type Manifest, parseProtoText } from '@ydbackup/format'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { viewsOver } from '../src/collection/link-objects.ts'
import { restore, type RestoreOptions, shipCollection, type ShipResult, verify } from '../src/index.ts'
import { FakeCollection } from './fake-collection.ts'
import { FakeDatabase } from './fake-database.ts'
import { TOOL } from './world.ts'

const view = (name: string, select: string): ObjectDefinition => ({
	form: 'statements',
	text: `CREATE VIEW \`${name}\` WITH (security_invoker = TRUE) AS\n${select}`,
})

const FEED: ObjectPart = {
	kind: 'changefeed',
	name: 'updates',
	definition: parseProtoText('name: "updates" mode: MODE_UPDATES format: FORMAT_JSON', 'a changefeed'),
	topic: parseProtoText('consumers { name: "billing" }', 'a topic'),
}

async function begin(): Promise<{
	collection: FakeCollection
	around: FakeDatabase
	repository: Repository
	ship: () => Promise<ShipResult>
	newest: () => Promise<Manifest>
	restored: (options?: Partial<RestoreOptions>) => Promise<FakeDatabase>
}> {
	const collection = new FakeCollection()
	const repository = await Repository.init(openMemory())
	let second = 0
	const clock = (): Date => new Date(Date.UTC(2026, 11, 1) + second++ * 1000)
	const { around } = collection
	const columns = [
		{ name: 'id', type: 'UINT64', isRequired: true },
		{ name: 'a', type: 'UTF8' },
	]
	for (const path of ['dir/one', 'two']) collection.createTable(path, columns, ['id'])
	const { table } = (await collection.live('two'))!
	around.addTable('two', table!.scheme, [])
	await around.createPart('two', FEED)
	around.addDirectory('views')
	around.addObject('views/direct', 'view', view('direct', 'SELECT a FROM `dir/one`'))
	around.addObject('unrelated', 'view', view('unrelated', 'SELECT 1 FROM `three`'))
	const newest = async (): Promise<Manifest> => (await repository.read((await repository.ids()).at(-1)!)).manifest
	return {
		collection,
		around,
		repository,
		newest,
		ship: () => shipCollection({ source: collection, repository, clock, tool: TOOL, waitMs: 0 }),
		async restored(options = {}) {
			const sink = new FakeDatabase('/local')
			const { id } = await newest()
			const result = await restore({ sink, repository, id, existing: 'fail', verifyData: true, ...options })
			expect(result).toMatchObject({ outcome: 'complete', problems: [] })
			return sink
		},
	}
}

const objectsOf = ({ objects }: Manifest): string[] =>
	objects.map(({ kind, path, parts = 0 }) => `${kind} ${path} ${parts}`)

test('each link carries the changefeeds and views of its time, and a restore of it brings these back', async () => {
	const { collection, around, repository, ship, newest, restored } = await begin()
	collection.backup('full')
	await ship()
	const full = await newest()
	expect(objectsOf(full)).toEqual([
		'directory dir 0',
		'directory views 0',
		'row-table dir/one 0',
		'row-table two 1',
		'view views/direct 0',
	])
	const at = full.source.collection!.schemesReadAt
	expect(full.objects.flatMap(({ readAt }) => readAt ?? [])).toEqual([at, at])

	around.nodes.delete('views/direct')
	around.addObject('second', 'view', view('second', 'SELECT a FROM `first`'))
	around.addObject('first', 'view', view('first', 'SELECT a FROM `/local/two`'))
	await around.createPart('two', { ...FEED, name: 'keys', definition: parseProtoText('name: "keys"', 'a changefeed') })
	collection.write('upsert', 'two', { id: 'uint64_value: 1', a: 'text_value: "x"' })
	collection.backup('incremental')
	around.calls.length = 0
	await ship()
	expect(around.calls.toSorted().map((call) => call.split(' ')[0])).toEqual([
		...Array.from({ length: 4 }, () => 'describe'),
		'list',
	])
	const link = await newest()
	expect(objectsOf(link)).toEqual([
		'directory dir 0',
		'change-table dir/one 0',
		'change-table two 2',
		'view first 0',
		'view second 0',
	])
	expect(link.notes).toEqual([])
	expect((await verify({ repository, id: link.id, level: 'full' })).findings).toEqual([])

	const back = await restored()
	expect(back.nodes.get('two')?.parts?.map(({ name }) => name)).toEqual(['updates', 'keys'])
	expect(back.nodes.get('two')?.parts?.[0]).toEqual(FEED)
	expect([...back.nodes.keys()].toSorted()).toEqual(['dir', 'dir/one', 'first', 'second', 'two'])
	const moved = await restored({ to: '/local/else' })
	expect(JSON.stringify(moved.nodes.get('else/first')?.definition)).toContain('/local/else/two')
	const bare = await restored({ excludeKinds: ['changefeed', 'view'] })
	expect([...bare.nodes.keys()].toSorted()).toEqual(['dir', 'dir/one', 'two'])
	expect(bare.nodes.get('two')?.parts ?? []).toEqual([])
	const old = new FakeDatabase('/local')
	await restore({ sink: old, repository, id: full.id, existing: 'fail' })
	expect([...old.nodes.keys()].toSorted()).toEqual(['dir', 'dir/one', 'two', 'views', 'views/direct'])
})

test('what may not be seen beside the tables is named, and the link is shipped', async () => {
	const refusing = async (call: string, path: string, code: ErrorCode): Promise<Manifest> => {
		const { collection, around, ship, newest } = await begin()
		around.faults.before = (made, of) => {
			if (made === call && of === path) throw new BackupError(code, 'access denied')
		}
		collection.backup('full')
		expect((await ship()).outcome).toBe('complete')
		return newest()
	}
	const hidden = await refusing('list', '', 'DATABASE_PERMISSION')
	expect(hidden.notes).toEqual([
		{ path: '', kind: 'view', reason: 'views over the tables were not looked for: access denied' },
	])
	expect(objectsOf(hidden)).toEqual(['directory dir 0', 'row-table dir/one 0', 'row-table two 1'])
	for (const code of ['DATABASE_PERMISSION', 'UNSUPPORTED'] as const) {
		const blind = await refusing('describe', 'views/direct', code)
		expect(blind.notes).toEqual([{ path: 'views/direct', kind: 'view', reason: 'not taken: access denied' }])
		const mute = await refusing('describe', 'two', code)
		expect(mute.notes).toEqual([
			{ path: 'two', kind: 'row-table', reason: 'its changefeeds were not taken: access denied' },
		])
	}
	const lost = await begin()
	lost.around.faults.before = (made) => {
		if (made === 'list') throw new BackupError('DATABASE_UNREACHABLE', 'gone')
	}
	lost.collection.backup('full')
	await expect(lost.ship()).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
	expect(await lost.repository.ids()).toEqual([])
})

test('a view belongs to a link when it reads one of its tables, however it names it', () => {
	const header = '-- database: "/local"\n-- backup root: "/local"\n'
	const texts: Record<string, string> = {
		absolute: 'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1 FROM `/local/dir/one`',
		relative: 'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1 FROM `dir/one` AS o',
		prefixed:
			'PRAGMA TablePathPrefix = "/local/dir"; CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1 FROM one',
		named: '$x = (SELECT 1 FROM `dir/one`); CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT * FROM $x',
		joined: 'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1 FROM other AS o JOIN `dir/one` AS t ON o.a = t.a',
		third: 'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1 FROM relative',
		away: 'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1 FROM one',
		text: 'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT "FROM `dir/one`" FROM other -- `dir/one`',
		circle: 'CREATE VIEW v WITH (security_invoker = TRUE) AS SELECT 1 FROM circle',
	}
	const views = Object.entries(texts).map(([path, text]) => ({
		path,
		kind: 'view' as const,
		permissions: [],
		parts: [],
		text: `${header}${text};\n`,
	}))
	expect(viewsOver(['dir/one'], views, '/local').map(({ path }) => path)).toEqual([
		'absolute',
		'relative',
		'prefixed',
		'named',
		'joined',
		'third',
	])
	expect(viewsOver([], views, '/local')).toEqual([])
})
