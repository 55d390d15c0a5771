import { spawnSync } from 'node:child_process'

import { Repository, thisOwner } from '@ydbackup/catalog'
import { BackupError, type ObjectPart } from '@ydbackup/core'
import { canonicalJson, parseProtoText, printProtoText } from '@ydbackup/format'
import { openMemory, readOnly } from '@ydbackup/storage'
import * as fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'

import { openCheckpoint } from '../src/checkpoint/checkpoint.ts'
import { creatorText } from '../src/checkpoint/ownership.ts'
import { CHECKPOINT_SCHEME, chunksOf } from '../src/checkpoint/checkpoint-table.ts'
import { restore, restoreFrom, type RestoreOptions, type RestoreResult } from '../src/index.ts'
import { FakeDatabase } from './fake-database.ts'
import { intercept } from './intercept.ts'
import { keyOf, permissionsOf, rowFrame, rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, seeded, World } from './world.ts'

const FEED: ObjectPart = {
	kind: 'changefeed',
	name: 'updates',
	definition: parseProtoText('name: "updates" mode: MODE_UPDATES format: FORMAT_JSON', 'a changefeed'),
	topic: parseProtoText('consumers { name: "billing" }', 'a topic'),
}
const AGAIN = { unfinished: 'resume', silenceMs: 0, concurrency: 1 } as const

let world: World
let id: string

beforeAll(async () => {
	const database = seeded()
	await database.createPart('plain', FEED)
	database.addObject('dir/view', 'view', {
		form: 'statements',
		text: 'CREATE VIEW `dir/view` WITH (security_invoker = TRUE) AS\nSELECT 1',
	})
	const storage = openMemory()
	world = new World(database, storage, await Repository.init(storage))
	;({ id } = await world.backup())
})

/** All that can be seen of a database: changefeeds and definitions too. */
function wholePicture(target: FakeDatabase): unknown {
	const parts = Array.from(target.nodes, ([path, node]) => [
		path,
		(node.parts ?? []).map(({ name, topic = [] }) => `${name} ${printProtoText(topic)}`),
	])
	return { ...target.picture(), parts: Object.fromEntries(parts) }
}

/** Ends a run at its n-th call: from then on the database hears nothing of it. */
async function die(
	target: FakeDatabase,
	at: number,
	options: Partial<RestoreOptions> = {},
	half?: (call: string, path: string) => void,
): Promise<RestoreResult | undefined> {
	let calls = 0
	target.faults.before = (call, path) => {
		if (++calls < at) return
		if (calls === at) half?.(call, path)
		throw new BackupError('DATABASE_UNREACHABLE', 'dead')
	}
	try {
		return await world.restore(target, { id, ...AGAIN, ...options })
	} catch (error) {
		expect(error).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
		return undefined
	} finally {
		target.faults = {}
	}
}

/** Checkpoints of runs that had not begun to write, and of which nobody knows whether they live, are named and left. */
function dropUnbegun(target: FakeDatabase): void {
	for (const path of [...target.nodes.keys()]) if (path.startsWith('~ydbackup-restore')) target.nodes.delete(path)
}

const WAYS: Readonly<
	Record<string, { readonly options: Partial<RestoreOptions>; readonly before: () => FakeDatabase }>
> = {
	'to nothing': { options: {}, before: () => new FakeDatabase() },
	'in the place of tables': {
		options: { existing: 'replace' },
		before() {
			const target = new FakeDatabase()
			target.addTable('plain', schemeOf({ splits: [3] }), rowsUpTo(7), permissionsOf('eve'))
			target.addTable('dir/sub/split', schemeOf(), rowsUpTo(9), permissionsOf('eve'))
			return target
		},
	},
	'over rows': {
		options: { existing: 'merge' },
		before() {
			const target = new FakeDatabase()
			target.addTable('plain', schemeOf(), rowsUpTo(7), permissionsOf('eve'))
			return target
		},
	},
	'as schemes alone': { options: { schemeOnly: true }, before: () => new FakeDatabase() },
	'as rows alone': {
		options: { dataOnly: true, include: ['plain', 'dir/sub/split'] },
		before() {
			const target = new FakeDatabase()
			for (const path of ['plain', 'dir/sub/split']) target.addTable(path, schemeOf(), [])
			return target
		},
	},
}

for (const [way, { options, before }] of Object.entries(WAYS)) {
	test(`a restore ${way} that dies anywhere is gone on with to the same end`, { timeout: 60_000 }, async () => {
		const unbroken = before()
		await world.restore(unbroken, { id, ...AGAIN, ...options })
		const whole = wholePicture(unbroken)
		const total = unbroken.calls.length
		for (let at = 1 + (total % 3); at <= total; at += 3) {
			const target = before()
			await die(target, at, options)
			const isBegun = [...target.nodes.keys()].some((path) => path.startsWith('~ydbackup-restore'))
			await world.restore(target, { id, ...AGAIN, ...options }).catch((error: unknown) => {
				// All was done but for the last words: then nothing is left to go on with.
				if (isBegun || !(error instanceof BackupError) || error.code !== 'PATH_EXISTS') throw error
			})
			if (at < total / 2) dropUnbegun(target)
			expect(wholePicture(target), `died at ${at}`).toEqual(whole)
		}
	})
}

test('it may die as often as it wants', { timeout: 60_000 }, async () => {
	const whole = new Map<string, unknown>()
	for (const [way, { options, before }] of Object.entries(WAYS)) {
		const unbroken = before()
		await world.restore(unbroken, { id, ...options })
		whole.set(way, wholePicture(unbroken))
	}
	await fc.assert(
		fc.asyncProperty(
			fc.constantFrom(...Object.keys(WAYS)),
			fc.array(fc.integer({ min: 20, max: 120 }), { minLength: 2, maxLength: 6 }),
			async (way, deaths) => {
				const { options, before } = WAYS[way]!
				const target = before()
				let isDone = false
				for (const at of deaths) {
					if (!isDone) isDone = (await die(target, at, options)) !== undefined
				}
				if (!isDone) await world.restore(target, { id, ...AGAIN, ...options })
				dropUnbegun(target)
				expect(wholePicture(target)).toEqual(whole.get(way))
			},
		),
		// The example: one dies behind the swap, the next one behind the dropping of the former tables.
		{ numRuns: 25, examples: [['in the place of tables', [102, 62, 20]]] },
	)
})

test('Ctrl-C leaves what is there, says how to go on, and parts that are done are neither read nor written again', async () => {
	const reads: string[] = []
	const storage = intercept(world.storage, {
		get(key, options, next) {
			if (/\/data_\d+\.csv(?:\.zst)?$/u.test(key)) reads.push(key)
			return next(key, options)
		},
	})
	const repository = await Repository.open(storage)
	const target = new FakeDatabase()
	const stop = new AbortController()
	target.faults.before = (call, path) => {
		if (call === 'openWriter' && path === 'plain') stop.abort(new Error('Ctrl-C'))
	}
	const asked = { id, repository, concurrency: 1 }
	const error: unknown = await world
		.restore(target, { ...asked, signal: stop.signal })
		.catch((reason: unknown) => reason)
	expect(error).toMatchObject({
		code: 'INTERRUPTED',
		advice: expect.stringMatching(
			/^go on by the same command with --resume, or begin anew with --restart; complete: dir\/sub\/split; not complete: plain, none$/u,
		),
	})
	expect(target.rowCount('dir/sub/split')).toBe(300)
	// Without --resume it is named, and with other flags too.
	await expect(world.restore(target, asked)).rejects.toMatchObject({
		code: 'PATH_EXISTS',
		message: expect.stringContaining('dir/sub/split'),
		advice: expect.stringContaining('--resume'),
	})
	reads.length = 0
	target.faults = {}
	target.calls.length = 0
	const result = await world.restore(target, { ...asked, unfinished: 'resume', silenceMs: 60_000 })
	expect(result).toMatchObject({ outcome: 'complete', rows: 420, resumed: { parts: 4 } })
	expect(reads).toHaveLength(2)
	expect(target.calls).not.toContain('openWriter dir/sub/split')
	expect(target.rowCount('plain')).toBe(120)
})

test('something else than was begun is refused: another backup, other flags, another table, another scheme, foreign rows', async () => {
	const begun = async (): Promise<FakeDatabase> => {
		const target = new FakeDatabase()
		// In the middle of the rows.
		const stop = new AbortController()
		let writes = 0
		target.faults.before = (call, path) => {
			if (call === 'write' && !path.startsWith('~') && ++writes === 2) stop.abort(new Error('Ctrl-C'))
		}
		await world.restore(target, { id, concurrency: 1, signal: stop.signal }).catch(() => undefined)
		target.faults = {}
		return target
	}
	const refused = async (target: FakeDatabase, options: Partial<RestoreOptions>, message: RegExp): Promise<void> => {
		const before = wholePicture(target)
		await expect(world.restore(target, { id, ...AGAIN, ...options })).rejects.toMatchObject({
			code: 'PATH_EXISTS',
			message: expect.stringMatching(message),
			advice: expect.stringContaining('nothing was written'),
		})
		expect(wholePicture(target)).toEqual(before)
	}
	const { id: other } = await world.backup({ clock: () => new Date(Date.UTC(2100, 1, 1)) })
	await refused(await begun(), { id: other }, new RegExp(`${id} was restored, not ${other}`, 'u'))
	await refused(await begun(), { ttl: 'off' }, /--ttl was "keep", and is "off"/u)
	await refused(await begun(), { include: ['plain', 'dir/sub/split'] }, /--include was not given/u)

	const another = await begun()
	another.nodes.delete('dir/sub/split')
	await refused(another, {}, /dir\/sub\/split is gone/u)
	another.addTable('dir/sub/split', schemeOf(), rowsUpTo(3))
	await refused(another, {}, /dir\/sub\/split is another one/u)

	const altered = await begun()
	const { table } = altered.nodes.get('dir/sub/split')!
	table!.scheme = table!.scheme.filter(({ value }) => !printProtoText([{ name: 'x', value }]).includes('weight'))
	await refused(altered, {}, /dir\/sub\/split has no column weight/u)

	// A table that nobody has noted is taken for the run's own only while it is empty.
	const early = new FakeDatabase()
	early.faults.before = (call, path) => {
		if (call === 'createTable' && path === 'plain') throw new BackupError('DATABASE_UNREACHABLE', 'no')
	}
	await world.restore(early, { id, concurrency: 1 }).catch(() => undefined)
	early.faults = {}
	early.addTable('plain', schemeOf(), [])
	early.putRows('plain', [rowFrame([5, 'theirs', 0])])
	await refused(early, {}, /plain was made by somebody else/u)
})

test('while its process gives signs of life nobody goes on with a restore; one that was taken over stops', async () => {
	const target = new FakeDatabase()
	const gate = Promise.withResolvers<void>()
	const there = Promise.withResolvers<void>()
	target.faults.before = async (call, path) => {
		if (call !== 'countRows' || path !== 'plain') return
		there.resolve()
		await gate.promise
	}
	const first = world.restore(target, { id, concurrency: 1 }).catch((error: unknown) => error)
	await there.promise
	const path = [...target.nodes.keys()].find((name) => name.startsWith('~'))!
	const beat = target.picture()[path]
	target.faults.before = async (call, name) => {
		if (call === 'countRows' && name === 'plain') await gate.promise
		// Its heart beats while the other one looks.
		if (call === 'read' && name === path) target.putRows(path, [ownerFrame(Math.floor(performance.now()))])
	}
	await expect(world.restore(target, { id, ...AGAIN, silenceMs: 2000 })).rejects.toMatchObject({ code: 'LEASED' })
	expect(target.picture()[path]).not.toEqual(beat)

	// It is silent: somebody else takes over, and the first one learns of it while the second is at work.
	const second = Promise.withResolvers<void>()
	target.faults.before = async (call) => {
		if (call !== 'alterTable') return
		gate.resolve()
		expect(await first).toMatchObject({ code: 'LEASE_LOST' })
		second.resolve()
	}
	expect(await world.restore(target, { id, ...AGAIN })).toMatchObject({ outcome: 'complete' })
	await second.promise
	const unbroken = new FakeDatabase()
	await world.restore(unbroken, { id })
	expect(wholePicture(target)).toEqual(wholePicture(unbroken))
})

function ownerFrame(beat: number): Uint8Array {
	return textFrame('owner', JSON.stringify({ token: 'other', beat, host: 'elsewhere', pid: 1, scope: 'there' }))
}

function textFrame(name: string, data: string): Uint8Array {
	const [frame] = [...chunksOf([[name, data]])]
	return frame!.bytes
}

test('rights to read the repository are enough, and a database that takes no checkpoint costs only the going on', async () => {
	const repository = await Repository.open(readOnly(world.storage))
	const target = new FakeDatabase()
	await die(target, 60, { repository })
	expect(await world.restore(target, { id, repository, ...AGAIN })).toMatchObject({ outcome: 'complete' })

	const closed = new FakeDatabase()
	closed.faults.before = (call, path) => {
		if (call === 'createTable' && path.startsWith('~')) throw new BackupError('DATABASE_PERMISSION', 'not here')
	}
	const result = await world.restore(closed, { id, ...AGAIN })
	expect(result.warnings.map(({ message }) => message)).toContainEqual(expect.stringContaining('not here'))
	expect(result.outcome).toBe('complete')

	// Notes that are not there when they are read.
	const forgetful = new FakeDatabase()
	forgetful.faults.before = (call, path) => {
		if (call === 'finish' && path.startsWith('~')) forgetful.nodes.get(path)!.table!.rows.clear()
	}
	expect(await world.restore(forgetful, { id, ...AGAIN })).toMatchObject({ outcome: 'complete' })
	expect([...forgetful.nodes.keys()].filter((path) => path.startsWith('~'))).toEqual([])
})

test('an index that is there when it is asked for again is the one that was asked for', async () => {
	const target = new FakeDatabase()
	target.faults.before = (call, path) => {
		if (call !== 'alterTable' || path !== 'dir/sub/split') return
		const index = parseProtoText('indexes { name: "by_name" index_columns: "name" global_index {} }', 'an index')
		const { table } = target.nodes.get(path)!
		if (!printProtoText(table!.scheme).includes('by_name')) table!.scheme = [...table!.scheme, ...index]
	}
	expect(await world.restore(target, { id, ...AGAIN })).toMatchObject({ outcome: 'complete' })
	expect(printProtoText(target.nodes.get('dir/sub/split')!.table!.scheme).match(/by_name/gu)).toHaveLength(1)
})

test('a changefeed that was added without its consumers is added anew', async () => {
	const counting = new FakeDatabase()
	await world.restore(counting, { id, ...AGAIN })
	const at = counting.calls.findIndex((call) => call.startsWith('createPart')) + 1
	const target = new FakeDatabase()
	await die(target, at, {}, (call, path) => {
		expect([call, path]).toEqual(['createPart', 'plain/updates'])
		const node = target.nodes.get('plain')!
		target.nodes.set('plain', { ...node, parts: [{ ...FEED, topic: [] }] })
	})
	await world.restore(target, { id, ...AGAIN })
	expect(target.nodes.get('plain')!.parts).toEqual([FEED])
})

test('what is begun anew drops tables that are not complete, and what nobody can go on with is forgotten', async () => {
	const target = new FakeDatabase()
	const stop = new AbortController()
	target.faults.before = (call, path) => {
		if (call === 'openWriter' && path === 'plain') stop.abort(new Error('Ctrl-C'))
	}
	await world.restore(target, { id, concurrency: 1, signal: stop.signal }).catch(() => undefined)
	target.faults = {}
	const anew = { id, unfinished: 'restart', silenceMs: 0, existing: 'merge' } as const
	expect(await world.restore(target, anew)).toMatchObject({ outcome: 'complete' })
	expect(target.rowCount('plain')).toBe(120)

	// None of them is complete: nothing is in the way.
	const early = new FakeDatabase()
	const first = new AbortController()
	early.faults.before = (call, path) => {
		if (call === 'write' && !path.startsWith('~')) first.abort(new Error('Ctrl-C'))
	}
	await world.restore(early, { id, concurrency: 1, signal: first.signal }).catch(() => undefined)
	early.faults = {}
	expect(await world.restore(early, { id, unfinished: 'restart', silenceMs: 0 })).toMatchObject({ outcome: 'complete' })

	// Somebody has dropped all that it had made.
	const cleared = new FakeDatabase()
	await die(cleared, 60)
	for (const path of [...cleared.nodes.keys()]) if (!path.startsWith('~')) cleared.nodes.delete(path)
	expect(await world.restore(cleared, { id, silenceMs: 0 })).toMatchObject({ outcome: 'complete' })
	expect([...cleared.nodes.keys()].filter((path) => path.startsWith('~'))).toEqual([])
})

test('a checkpoint of a process that ended before its first entry is dropped; of one that may live it is named', async () => {
	const target = new FakeDatabase()
	const { pid } = spawnSync(process.execPath, ['--version'])
	const ended = openCheckpoint(target, '~ydbackup-restore-20260101T000000Z-dead')
	await ended.create(canonicalJson({ token: 'new', beat: 0, ...thisOwner(), pid }))
	const strange = openCheckpoint(target, '~ydbackup-restore-20260101T000000Z-live')
	await strange.create(creatorText())
	expect(await world.restore(target, { id })).toMatchObject({
		outcome: 'complete',
		warnings: [expect.objectContaining({ path: strange.path })],
	})
	expect([...target.nodes.keys()].filter((path) => path.startsWith('~'))).toEqual([strange.path])
})

test('a dry run says that it would go on, and changes nothing', async () => {
	const target = new FakeDatabase()
	await die(target, 60)
	const before = wholePicture(target)
	const result = await world.restore(target, { id, ...AGAIN, dryRun: true })
	expect(result.resumed).toBeDefined()
	expect(wholePicture(target)).toEqual(before)
})

test("a link of a chain and another tool's files are gone on with too", { timeout: 60_000 }, async () => {
	const chain = await createWorld()
	let second = 0
	const clock = (): Date => new Date(Date.UTC(2026, 10, 23, 2, 15, second++))
	const full = await chain.backup({ clock })
	chain.database.putRows('plain', [rowFrame([1005, 'changed', 1]), rowFrame([5000, 'new', 2])])
	chain.database.deleteRow('plain', keyOf(1001))
	const link = await chain.backup({ clock, parent: full.id })

	const dump = openMemory()
	const lines = Array.from({ length: 90 }, (_, n) => `${n},"r${n}",1.5\n`)
	await dump.put('t/scheme.pb', Buffer.from(printProtoText(schemeOf())))
	for (const part of [0, 1, 2]) {
		await dump.put(`t/data_0${part}.csv`, Buffer.from(lines.slice(part * 30, part * 30 + 30).join('')))
	}
	const ways = [
		(sink: FakeDatabase) =>
			restore({ sink, repository: chain.repository, id: link.id, existing: 'fail', verifyData: true, ...AGAIN }),
		(sink: FakeDatabase) =>
			restoreFrom({ sink, storage: dump, name: 'd', existing: 'fail', verifyData: true, ...AGAIN }),
	]
	for (const run of ways) {
		const unbroken = new FakeDatabase()
		await run(unbroken)
		for (let at = 15; at <= unbroken.calls.length; at += 7) {
			const target = new FakeDatabase()
			let calls = 0
			target.faults.before = () => {
				if (++calls >= at) throw new BackupError('DATABASE_UNREACHABLE', 'dead')
			}
			await run(target).catch(() => undefined)
			target.faults = {}
			expect(await run(target)).toMatchObject({ outcome: 'complete' })
			dropUnbegun(target)
			expect(target.picture(), `died at ${at}`).toEqual(unbroken.picture())
		}
	}
})

test("rows of a chain's table that were written are read again, and not written again", async () => {
	const chain = await createWorld()
	const full = await chain.backup({ clock: () => new Date(Date.UTC(2026, 10, 23)) })
	chain.database.putRows('dir/sub/split', [rowFrame([150, 'changed', 1]), rowFrame([5000, 'new', 2])])
	const link = await chain.backup({ clock: () => new Date(Date.UTC(2026, 10, 24)), parent: full.id })
	const asked = { id: link.id, include: ['dir/sub/split'], noteEveryBytes: 2000, verifyData: true, ...AGAIN }
	const unbroken = new FakeDatabase()
	await chain.restore(unbroken, asked)
	const target = new FakeDatabase()
	let writes = 0
	target.faults.before = (call, path) => {
		if (call === 'write' && !path.startsWith('~') && ++writes > 3) throw new BackupError('DATABASE_UNREACHABLE', 'dead')
	}
	await chain.restore(target, asked).catch(() => undefined)
	target.faults = {}
	const before = target.rowCount('dir/sub/split')
	expect(before).toBeGreaterThan(40)
	target.calls.length = 0
	expect(await chain.restore(target, asked)).toMatchObject({ outcome: 'complete' })
	expect(target.picture()).toEqual(unbroken.picture())
	const isWrite = (call: string): boolean => call === 'write dir/sub/split'
	expect(target.calls.filter(isWrite).length).toBeLessThanOrEqual(unbroken.calls.filter(isWrite).length - 3)
})

test('a checkpoint that cannot be read is named, whatever lies in it', async () => {
	const junk = [
		[['request', '{']],
		[['request', '[]']],
		[['request', '{"ydbackup":"restore-checkpoint","version":9}']],
		[['request', JSON.stringify({ ydbackup: 'restore-checkpoint', version: 1, title: 3 })]],
		[['owner', '"x"']],
		[['__proto__', '{}']],
	] as const
	for (const entries of junk) {
		const target = new FakeDatabase()
		target.addTable('~ydbackup-restore-x', CHECKPOINT_SCHEME, [])
		target.putRows(
			'~ydbackup-restore-x',
			entries.map(([name, data]) => textFrame(name, data)),
		)
		const result = await world.restore(target, { id, ...AGAIN })
		expect(result.outcome).toBe('complete')
		expect(result.warnings.map(({ path }) => path)).toContain('~ydbackup-restore-x')
	}
})
