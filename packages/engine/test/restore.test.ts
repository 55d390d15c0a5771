import { putTombstone, removeBackups } from '@ydbackup/catalog'
import { BackupError, isBackupError, protoField, protoMessage, protoString } from '@ydbackup/core'
import { printProtoText } from '@ydbackup/format'
import * as fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'

import type { RestoreOptions } from '../src/index.ts'
import { splitScheme } from '../src/restore/split-scheme.ts'
import { FakeDatabase, indexNames } from './fake-database.ts'
import { permissionsOf, type Row, rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, SETTINGS, type World } from './world.ts'

let world: World
let original: Record<string, unknown>

beforeAll(async () => {
	world = await createWorld()
	await world.backup()
	original = world.database.picture()
	delete original['dir/pool']
})

/** The picture with every path below another one. */
function below(picture: Record<string, unknown>, top: string): Record<string, unknown> {
	return Object.fromEntries(Object.entries(picture).map(([path, value]) => [`${top}/${path}`, value]))
}

test('what was backed up comes back equal: rows, schemes, settings, rights, empty tables and directories', async () => {
	const target = new FakeDatabase()
	const result = await world.restore(target, { verifyData: true })
	expect(target.picture()).toEqual(original)
	expect(result).toMatchObject({ outcome: 'complete', rows: 420, problems: [] })
	expect(result.tables.map((table) => [table.target, table.action, table.isCompared])).toEqual([
		['dir/sub/split', 'create', true],
		['none', 'create', true],
		['plain', 'create', true],
	])
})

test('work is done in the order that keeps data closed, partitions still and rows safe from the TTL', async () => {
	const target = new FakeDatabase()
	const steps: string[] = []
	target.faults.before = (call, path) => {
		if (path === 'dir/sub/split' || path === 'dir/sub') steps.push(`${call} ${path}`)
	}
	await world.restore(target, { verifyData: true, concurrency: 1 })
	const once = steps.filter((step, index) => steps.indexOf(step) === index && !step.startsWith('find'))
	expect(once).toEqual([
		'createDirectory dir/sub',
		'createTable dir/sub/split',
		'setPermissions dir/sub/split',
		'openWriter dir/sub/split',
		'write dir/sub/split',
		'finish dir/sub/split',
		'countRows dir/sub/split',
		'describeTable dir/sub/split',
		'read dir/sub/split',
		'alterTable dir/sub/split',
		'setPermissions dir/sub',
	])
})

test('a table is created without indexes and TTL and with splits off, and nothing of its scheme is lost', () => {
	const scheme = schemeOf({ splits: [5], settings: `${SETTINGS} attributes { key: "a" value: "b" }` })
	const phases = splitScheme(scheme)
	expect(indexNames(phases.create)).toEqual([])
	expect(protoField(phases.create, 'ttl_settings')).toBeUndefined()
	const settings = protoMessage(phases.create, 'partitioning_settings')
	expect(printProtoText(settings)).toBe(
		'partitioning_by_size: DISABLED\npartitioning_by_load: DISABLED\nmin_partitions_count: 3\n',
	)
	expect(protoField(phases.create, 'partition_at_keys')).toBeDefined()
	expect(phases.indexes.map((index) => index.name)).toEqual(['by_name'])
	expect(protoMessage(phases.partitioning ?? [], 'alter_partitioning_settings')).toEqual(
		protoMessage(scheme, 'partitioning_settings'),
	)
	expect(protoMessage(phases.ttl ?? [], 'set_ttl_settings')).toEqual(protoMessage(scheme, 'ttl_settings'))
	const quiet = schemeOf({ settings: 'partitioning_settings { partitioning_by_size: DISABLED }' })
	expect(splitScheme(quiet)).toMatchObject({ create: quiet, indexes: [], partitioning: undefined, ttl: undefined })
})

test('a TTL stays off when that is asked for', async () => {
	const target = new FakeDatabase()
	const result = await world.restore(target, { ttl: 'off' })
	expect(protoField(target.nodes.get('dir/sub/split')?.table?.scheme ?? [], 'ttl_settings')).toBeUndefined()
	expect(result.tables.some((table) => table.ttl)).toBe(false)
})

test('everything goes below --to, chosen tables with the directories above them only', async () => {
	const target = new FakeDatabase('/other')
	await world.restore(target, { to: '/other/copies/all' })
	const all = below(original, 'copies/all')
	expect(target.picture()).toMatchObject(all)
	expect(Object.keys(target.picture())).toEqual(['copies', 'copies/all', ...Object.keys(all)])

	const one = new FakeDatabase()
	await world.restore(one, { include: ['dir/sub/split'], map: [['dir/sub', 'moved']] })
	expect([...one.nodes.keys()]).toEqual(['moved', 'moved/split'])
	expect(one.picture()['moved/split']).toEqual(original['dir/sub/split'])
	expect(one.picture()['moved']).toEqual(original['dir/sub'])
})

test('objects that would meet at one place are refused before anything is written', async () => {
	for (const map of [
		[
			['plain', 'x'],
			['none', 'x'],
		],
		[
			['plain', 'x'],
			['none', 'x/y'],
		],
		[['plain', 'dir']],
		[['dir', '']],
	] as [string, string][][]) {
		const target = new FakeDatabase()
		await expect(world.restore(target, { map })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
		expect(target.nodes.size).toBe(0)
	}
})

test('a dry run says everything and writes nothing', async () => {
	const target = new FakeDatabase()
	target.addDirectory('dir')
	const result = await world.restore(target, { dryRun: true, verifyData: true })
	expect(result.tables).toMatchObject([
		{ path: 'dir/sub/split', action: 'create', rows: 300, partitions: 4, indexes: ['by_name'], ttl: true },
		{ path: 'none', rows: 0 },
		{ path: 'plain', rows: 120 },
	])
	expect(result.directories.map(({ target: path, action }) => [path, action])).toEqual([
		['dir', 'exists'],
		['dir/empty', 'create'],
		['dir/sub', 'create'],
	])
	expect(result.notes.map((note) => note.path)).toEqual(['dir/pool'])
	expect(target.calls.filter((call) => !call.startsWith('find'))).toEqual(['children '])
})

test('existing objects are all named and nothing is changed', async () => {
	const target = new FakeDatabase()
	target.addTable('plain', schemeOf(), rowsUpTo(5))
	target.addTable('none', schemeOf(), [])
	target.addOther('dir', 'topic', 'PERS_QUEUE_GROUP')
	const before = target.picture()
	for (const dryRun of [true, false]) {
		const refused = world.restore(target, { dryRun })
		await expect(refused).rejects.toMatchObject({ code: 'PATH_EXISTS' })
		await expect(refused).rejects.toThrow(/(?=.*plain)(?=.*none)(?=.*dir is a topic)/u)
	}
	expect(target.picture()).toEqual(before)
})

test('merging writes rows over rows, leaves others, schemes and rights, and creates what is missing', async () => {
	const target = new FakeDatabase()
	const strange: Row = [5, 'stays', 1]
	target.addTable('plain', schemeOf({ splits: [1050] }), [strange, [1000, 'old', 0]], permissionsOf('eve'))
	const result = await world.restore(target, { existing: 'merge', verifyData: true })
	expect(target.rowCount('plain')).toBe(121)
	expect(printProtoText(target.nodes.get('plain')?.permissions ?? [])).toContain('eve')
	expect(result.tables.find((table) => table.target === 'plain')).toMatchObject({ action: 'merge', isCompared: false })
	expect(target.picture()['dir/sub/split']).toEqual(original['dir/sub/split'])
	expect(result.warnings.map((warning) => warning.path)).toEqual(['plain'])
})

test('rows that do not fit into an existing table are refused before anything is written', async () => {
	const target = new FakeDatabase()
	target.addTable(
		'plain',
		schemeOf().filter(
			(field) => protoString(field.value.kind === 'message' ? field.value.fields : [], 'name') !== 'weight',
		),
		[],
	)
	const refused = world.restore(target, { existing: 'merge' })
	await expect(refused).rejects.toThrow(/plain has no column weight/u)
	expect([...target.nodes.keys()]).toEqual(['plain'])
})

test('schemes first and rows later give the same as both at once', async () => {
	const target = new FakeDatabase()
	const schemes = await world.restore(target, { schemeOnly: true })
	expect(schemes.rows).toBe(0)
	expect(target.rowCount('plain')).toBe(0)
	const rows = await world.restore(target, { dataOnly: true, verifyData: true })
	expect(rows.tables.every((table) => table.action === 'fill' && table.isCompared)).toBe(true)
	expect(target.picture()).toEqual(original)
	await expect(world.restore(target, { dataOnly: true })).rejects.toThrow(/plain holds 120 rows/u)
	await expect(world.restore(new FakeDatabase(), { dataOnly: true })).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
	await expect(world.restore(target, { dataOnly: true, schemeOnly: true })).rejects.toMatchObject({
		code: 'CONFIG_INVALID',
	})
})

test('rows that are acknowledged and not stored, or stored otherwise, are found', async () => {
	const losing = new FakeDatabase()
	losing.faults.loses = (stored) => stored === 110
	await expect(world.restore(losing)).rejects.toMatchObject({ code: 'COUNT_MISMATCH' })
	expect([...losing.nodes.values()].filter((node) => node.kind === 'row-table' && node.table?.rows.size !== 0)).toEqual(
		[],
	)

	const garbling = new FakeDatabase()
	garbling.faults.garbles = (frame) => {
		const text = Buffer.from(frame)
		const at = text.indexOf('row "1005"')
		if (at < 0) return frame
		text.write('ROW', at)
		return text
	}
	await expect(world.restore(garbling, { verifyData: true })).rejects.toMatchObject({ code: 'DATA_MISMATCH' })
	await world.restore(garbling, { existing: 'merge' })
})

test('a refused owner or grant leaves the rows there and says so; a refused shut-off stops before the first row', async () => {
	const target = new FakeDatabase()
	target.faults.before = (call) => {
		if (call === 'setPermissions') throw new BackupError('DATABASE_PERMISSION', 'not yours')
	}
	const result = await world.restore(target)
	expect(result.outcome).toBe('partial')
	expect(result.problems.map((problem) => problem.path)).toContain('dir/sub/split')
	expect(target.rowCount('dir/sub/split')).toBe(300)
	const quiet = new FakeDatabase()
	quiet.faults = target.faults
	expect(await world.restore(quiet, { noAcl: true })).toMatchObject({ outcome: 'complete', problems: [] })

	const closed = await createWorld()
	const rights = [
		...permissionsOf('a', 'b'),
		{ name: 'interrupt_inheritance', value: { kind: 'scalar', text: 'true' } as const },
	]
	closed.database.addTable('closed', schemeOf(), rowsUpTo(3), rights)
	await closed.backup({ paths: ['closed'] })
	const open = new FakeDatabase()
	open.faults = target.faults
	await expect(closed.restore(open)).rejects.toThrow(/closed would stand open/u)
	expect(open.nodes.size).toBe(0)
})

test('a stop at any call leaves all that was there before, and says what is complete and how to go on', async () => {
	const counting = new FakeDatabase()
	await world.restore(counting, { concurrency: 2 })
	let stopped = 0
	for (let at = 1; at <= counting.calls.length; at++) {
		const target = new FakeDatabase()
		target.addTable('theirs', schemeOf(), rowsUpTo(2))
		const stop = new AbortController()
		let calls = 0
		target.faults.before = () => {
			if (++calls === at) stop.abort(new Error('Ctrl-C'))
		}
		const error = await world
			.restore(target, { concurrency: 2, signal: stop.signal })
			.catch((thrown: unknown) => thrown)
		expect(target.rowCount('theirs')).toBe(2)
		if (!(error instanceof Error)) continue
		stopped++
		expect(isBackupError(error, 'INTERRUPTED')).toBe(true)
		const advice = (error as BackupError).advice ?? ''
		const isKept = [...target.nodes.keys()].some((path) => path.startsWith('~'))
		for (const [path, count] of [
			['plain', 120],
			['dir/sub/split', 300],
		] as const) {
			if (!target.nodes.has(path)) continue
			expect(isKept).toBe(true)
			const complete = /(?:^|; )complete: ([^;]*)/u.exec(advice)?.[1] ?? ''
			if (complete.includes(path)) expect(target.rowCount(path)).toBe(count)
			expect(advice).toContain(path)
			expect(advice).toContain('--resume')
		}
	}
	expect(stopped).toBeGreaterThan(20)
})

test('a failure of any call is thrown as it is, and leaves no incomplete table', async () => {
	for (const call of [
		'find',
		'createDirectory',
		'createTable',
		'openWriter',
		'write',
		'finish',
		'countRows',
		'alterTable',
	]) {
		for (const nth of [1, 2]) {
			const target = new FakeDatabase()
			let seen = 0
			target.faults.before = (name, path) => {
				if (name === call && !path.startsWith('~') && ++seen === nth)
					throw new BackupError('DATABASE_REFUSED', `no ${call}`, { advice: 'ask' })
			}
			await expect(world.restore(target)).rejects.toMatchObject({ code: 'DATABASE_REFUSED', message: `no ${call}` })
			const tables = [...target.nodes].filter(([, node]) => node.kind === 'row-table')
			for (const [path] of tables) expect(target.rowCount(path)).toBe({ plain: 120, none: 0 }[path] ?? 300)
		}
	}
})

test('a table that somebody else creates meanwhile is not dropped', async () => {
	const target = new FakeDatabase()
	target.faults.before = (call, path) => {
		if (call === 'createTable' && path === 'plain') target.addTable('plain', schemeOf(), rowsUpTo(1))
	}
	await expect(world.restore(target)).rejects.toMatchObject({ code: 'PATH_EXISTS' })
	expect(target.rowCount('plain')).toBe(1)
	expect([...target.nodes.keys()]).toEqual(['plain'])
})

test('any choice of tables goes to any place whole, and nothing else is touched', async () => {
	const places = fc.constantFrom('plain', 'dir/sub/split', 'none', 'dir/**', '**')
	const top = fc.constantFrom(undefined, 'a', 'a/b', '/local/c')
	await fc.assert(
		fc.asyncProperty(fc.array(places, { minLength: 1, maxLength: 3 }), top, async (include, to) => {
			const target = new FakeDatabase()
			const options: Partial<RestoreOptions> = { include, to }
			await world.restore(target, options)
			const prefix = to === undefined ? '' : `${to.replace('/local/', '')}/`
			const found = target.picture()
			for (const [path, value] of Object.entries(found)) {
				if (!path.startsWith(prefix)) continue
				expect(value).toEqual(original[path.slice(prefix.length)])
			}
			for (const path of ['plain', 'none', 'dir/sub/split']) {
				const isChosen = include.some(
					(one) => one === '**' || one === path || (one === 'dir/**' && path.startsWith('dir/')),
				)
				expect(Object.hasOwn(found, `${prefix}${path}`)).toBe(isChosen)
			}
		}),
		{ numRuns: 25 },
	)
})

test('a storage pool that the target does not have costs the setting, not the data; another refusal is told as it is', async () => {
	const pools = `storage_settings { tablet_commit_log0 { media: "ssd" } store_external_blobs: DISABLED }
		column_families { name: "default" data { media: "nvme" } compression: COMPRESSION_NONE }`
	const source = await createWorld()
	source.database.addTable('fast', schemeOf({ settings: pools }), rowsUpTo(4))
	await source.backup({ paths: ['fast'] })
	const target = new FakeDatabase()
	target.refuses = (scheme) => (/media/u.test(printProtoText(scheme)) ? 'no such storage pool' : undefined)
	const result = await source.restore(target)
	expect(result).toMatchObject({
		outcome: 'partial',
		problems: [{ path: 'fast', message: expect.stringContaining('no such storage pool') }],
	})
	const scheme = target.nodes.get('fast')?.table?.scheme ?? []
	expect(printProtoText(protoMessage(scheme, 'storage_settings'))).toBe('store_external_blobs: DISABLED\n')
	expect(target.rowCount('fast')).toBe(4)

	const plan = await source.restore(new FakeDatabase(), { dryRun: true })
	expect(plan.tables[0]?.storage).toEqual(['tablet_commit_log0 on ssd', 'family default on nvme compression none'])

	const insisting = new FakeDatabase()
	insisting.refuses = target.refuses
	await expect(source.restore(insisting, { storageSettings: 'keep' })).rejects.toThrow('no such storage pool')
	expect(insisting.nodes.size).toBe(0)
	const dropping = new FakeDatabase()
	dropping.refuses = target.refuses
	expect(await source.restore(dropping, { storageSettings: 'drop' })).toMatchObject({
		outcome: 'complete',
		tables: [{ storage: [] }],
	})
	const plain = dropping.nodes.get('fast')?.table?.scheme ?? []
	expect(printProtoText(plain)).not.toMatch(/storage_settings|column_families|read_replicas/u)

	const strict = new FakeDatabase()
	strict.refuses = () => 'quota'
	await expect(source.restore(strict)).rejects.toThrow('quota')
	expect(strict.nodes.size).toBe(0)
})

test('a table that exists and has a TTL is merged into with a warning', async () => {
	const target = new FakeDatabase()
	target.addTable('plain', schemeOf({ settings: SETTINGS }), [])
	const result = await world.restore(target, { existing: 'merge', include: ['plain'] })
	expect(result.warnings).toEqual([{ path: 'plain', message: expect.stringContaining('TTL') }])
})

test('while it is restored nobody deletes a backup, and a backup that is being deleted is not restored', async () => {
	const world = await createWorld()
	const { id } = await world.backup()
	const sink = new FakeDatabase('/other')
	const refused: string[] = []
	sink.faults.before = async (call) => {
		if (call !== 'write' || refused.length > 0) return
		const error = await removeBackups(world.repository, [id], { settleMs: 0 }).catch((reason: BackupError) => reason)
		refused.push((error as BackupError).code)
	}
	await world.restore(sink)
	expect(refused).toEqual(['LEASED'])
	expect(await world.keys('leases/')).toEqual([])
	await putTombstone(world.storage, id, new Date())
	await expect(world.restore(new FakeDatabase('/third'), { id })).rejects.toMatchObject({ code: 'BACKUP_DELETED' })
})
