import { BackupError, isBackupError } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { collect } from '../src/flow/collect.ts'
import { rollOver } from '../src/export/roll-over.ts'
import { type DumpTarget, exportDump, type ExportDumpOptions, restoreFrom } from '../src/index.ts'
import { FakeDatabase } from './fake-database.ts'
import { permissionsOf, type Row, rowFrame, rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, World } from './world.ts'

/** A directory in memory that keeps the promises of a target, and remembers what was done in which order. */
class MemoryTarget implements DumpTarget {
	readonly location = 'memory'
	readonly files = new Map<string, Buffer>()
	readonly directories = new Set([''])
	readonly steps: string[] = []
	/** Called before a piece is taken. */
	onPiece: (path: string) => void = () => undefined

	async prepare(): Promise<void> {
		this.steps.push('prepare')
	}

	async makeDirectory(path: string): Promise<void> {
		this.#assertNew(path)
		this.directories.add(path)
		this.steps.push(`mkdir ${path}`)
	}

	async writeFile(path: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
		this.#assertNew(path)
		const taken: Uint8Array[] = []
		this.files.set(path, Buffer.alloc(0))
		for await (const piece of pieces) {
			this.onPiece(path)
			taken.push(piece)
		}
		this.files.set(path, Buffer.concat(taken))
		this.steps.push(`write ${path}`)
	}

	async removeFile(path: string): Promise<void> {
		expect(this.files.delete(path)).toBe(true)
		this.steps.push(`remove ${path}`)
	}

	#assertNew(path: string): void {
		expect(this.files.has(path) || this.directories.has(path)).toBe(false)
		expect(this.directories.has(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '')).toBe(true)
	}

	text(path: string): string | undefined {
		return this.files.get(path)?.toString()
	}
}

async function exported(world: World, options: Partial<ExportDumpOptions> = {}): Promise<MemoryTarget> {
	const target = new MemoryTarget()
	await exportDump({ repository: world.repository, id: 'latest', target, ...options })
	return target
}

async function restored(target: MemoryTarget): Promise<FakeDatabase> {
	const storage = openMemory()
	for (const [key, bytes] of target.files) await storage.put(key, bytes)
	const sink = new FakeDatabase()
	await restoreFrom({ sink, storage, name: 'dump', existing: 'fail', verifyData: true })
	return sink
}

test('a backup written as a dump comes back equal: rows, schemes, settings, rights, empty tables and directories', async () => {
	const world = await createWorld()
	await world.backup()
	const target = await exported(world, { fileBytes: 1000 })
	const original = world.database.picture()
	delete original['dir/pool']
	expect((await restored(target)).picture()).toEqual(original)
	expect(Array.from(target.files.keys()).filter((path) => path.includes('incomplete'))).toEqual([])
	expect(
		Array.from(target.files.keys())
			.filter((path) => path.startsWith('none/'))
			.toSorted(),
	).toEqual(['none/data_00.csv', 'none/permissions.pb', 'none/scheme.pb'])
	expect(target.files.get('none/data_00.csv')).toHaveLength(0)
	expect(target.files.get('dir/empty/empty_dir')).toHaveLength(0)
	expect(target.files.has('dir/empty_dir') || target.files.has('permissions.pb')).toBe(false)
})

test('the bytes are those that YDB writes: rows, rights and scheme of a small table', async () => {
	const world = await createWorld()
	const database = new FakeDatabase('/Root')
	database.addTable(
		't',
		schemeOf(),
		[
			[2, 'pen, "x"^', 2.5],
			[3, null, 1e300],
			[10, '', 0.1],
		],
		permissionsOf('eve', 'alice'),
	)
	await world.backup({ source: database })
	const target = await exported(world)
	expect(target.text('t/data_00.csv')).toBe('2,"pen%2C+%22x%22%5E",2.5\n3,null,1e+300\n10,"",0.1\n')
	expect(target.text('t/permissions.pb')).toBe(
		'actions {\n  change_owner: "eve"\n}\nactions {\n  grant {\n    subject: "alice"\n    permission_names: "ydb.generic.read"\n  }\n}\n',
	)
	expect(target.text('t/scheme.pb')).toMatch(/^columns \{\n {2}name: "id"\n {2}type \{\n {4}type_id: UINT64\n {2}\}\n/)
	expect(Array.from(target.files.keys()).toSorted()).toEqual(['t/data_00.csv', 't/permissions.pb', 't/scheme.pb'])
})

test('nothing is without its mark before it is whole: the root loses it last, parents after their children', async () => {
	const world = await createWorld()
	await world.backup()
	const { steps } = await exported(world, { concurrency: 1 })
	expect(steps.slice(0, 2)).toEqual(['prepare', 'write incomplete'])
	expect(steps.at(-1)).toBe('remove incomplete')
	const split = steps.filter((step) => step.includes('dir/sub/split'))
	expect([split[0], split[1], split.at(-1)]).toEqual([
		'mkdir dir/sub/split',
		'write dir/sub/split/incomplete',
		'remove dir/sub/split/incomplete',
	])
	const removed = steps.filter((step) => step.startsWith('remove'))
	expect(removed.indexOf('remove dir/sub/incomplete')).toBeLessThan(removed.indexOf('remove dir/incomplete'))
	expect(removed.indexOf('remove dir/sub/split/incomplete')).toBeLessThan(removed.indexOf('remove dir/sub/incomplete'))
})

test('an export that fails leaves its mark and says so, and what it left is not restored', async () => {
	const world = await createWorld()
	await world.backup()
	const target = new MemoryTarget()
	target.onPiece = (path) => {
		if (path.startsWith('plain/data')) throw new BackupError('STORAGE_QUOTA', 'no room')
	}
	const error = await exported(world, { target }).catch((thrown: unknown) => thrown)
	expect(isBackupError(error, 'STORAGE_QUOTA') && error.advice).toContain('left unfinished')
	expect(target.files.has('incomplete') && target.files.has('plain/incomplete')).toBe(true)
	expect(isBackupError(await restored(target).catch((thrown: unknown) => thrown), 'FORMAT_INVALID')).toBe(true)
})

test('a damaged data file ends the export with its mark in place; without the table the rest is written', async () => {
	const world = await createWorld()
	await world.backup()
	const key = (await world.keys('backups/')).find((one) => /data_02\.csv\.zst$/u.test(one))!
	const bytes = Buffer.from(await world.bytes(key))
	bytes[20]! ^= 0x10
	await world.storage.put(key, bytes)
	const target = new MemoryTarget()
	const error = await exported(world, { target }).catch((thrown: unknown) => thrown)
	expect(isBackupError(error, 'OBJECT_DAMAGED') && error.message).toContain(key)
	expect(target.files.has('dir/sub/split/incomplete') && target.files.has('incomplete')).toBe(true)
	const rest = await exported(world, { exclude: ['dir/sub/split'] })
	expect(rest.files.has('plain/scheme.pb') && !rest.files.has('incomplete')).toBe(true)
})

test('of an increment the state at its end is written', async () => {
	const world = await createWorld()
	const times = [1, 2].map((hour) => new Date(Date.UTC(2026, 10, 20, hour)))
	await world.backup({ clock: () => times[0]! })
	world.database.putRows('plain', [rowFrame([1000, 'changed', 1]), rowFrame([5000, 'new', 2])])
	await world.backup({ clock: () => times[1]!, parent: 'latest' })
	const target = await exported(world)
	const original = world.database.picture()
	delete original['dir/pool']
	expect((await restored(target)).picture()).toEqual(original)
})

test('objects with the names of files of the layout are refused before anything is written', async () => {
	const world = await createWorld()
	world.database.addTable('dir/scheme.pb', schemeOf(), [])
	await world.backup()
	const target = new MemoryTarget()
	const error = await exported(world, { target }).catch((thrown: unknown) => thrown)
	expect(isBackupError(error, 'UNSUPPORTED') && error.message).toContain('dir/scheme.pb')
	expect(target.steps).toEqual([])
	expect((await exported(world, { exclude: ['dir/scheme.pb'] })).files.has('plain/scheme.pb')).toBe(true)
})

test('kinds of storage are left out unless they are asked for', async () => {
	const world = await createWorld()
	const settings =
		'storage_settings { tablet_commit_log0 { media: "ssd" } store_external_blobs: DISABLED } column_families { name: "default" data { media: "ssd" } }'
	const database = new FakeDatabase()
	database.addTable('t', schemeOf({ settings }), [])
	await world.backup({ source: database })
	expect((await exported(world)).text('t/scheme.pb')).not.toContain('media')
	expect((await exported(world)).text('t/scheme.pb')).toContain('store_external_blobs: DISABLED')
	expect((await exported(world, { preservePoolKinds: true })).text('t/scheme.pb')).toContain('media: "ssd"')
})

test('pieces are cut into files behind the size, in order, without an empty file at the end', async () => {
	const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), { maxLength: 30 })
	await fc.assert(
		fc.asyncProperty(pieces, fc.nat(20), async (all, bytes) => {
			async function* stream(): AsyncGenerator<Uint8Array> {
				yield* all
			}
			const files: Uint8Array[][] = []
			for await (const file of rollOver(stream(), bytes)) files.push(await collect(file))
			expect(files.flat()).toEqual(all)
			expect(files.length).toBeGreaterThan(0)
			const sizes = files.map((file) => file.map((piece) => piece.length))
			const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
			for (const [at, file] of sizes.entries()) {
				if (at > 0) expect(file.length).toBeGreaterThan(0)
				if (at < sizes.length - 1) expect(sum(file)).toBeGreaterThan(bytes)
				expect(sum(file.slice(0, -1))).toBeLessThanOrEqual(bytes)
			}
		}),
	)
})

test('any rows go through a dump of files of any size and come back the same', { timeout: 60_000 }, async () => {
	const name = fc.option(fc.string({ unit: 'grapheme', maxLength: 40 }), { nil: null })
	const weight = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer())
	const rows = fc.uniqueArray(fc.tuple(fc.nat(1_000_000), name, weight), { selector: ([id]) => id, maxLength: 60 })
	await fc.assert(
		fc.asyncProperty(rows, fc.integer({ min: 0, max: 400 }), async (all, fileBytes) => {
			const world = await createWorld()
			const database = new FakeDatabase()
			const sorted = all.toSorted(([a], [b]) => a - b) as Row[]
			database.addTable('dir/t', schemeOf({ splits: [1000, 400_000] }), sorted)
			database.addDirectory('dir')
			await world.backup({ source: database })
			const target = await exported(world, { fileBytes })
			expect((await restored(target)).picture()).toEqual(database.picture())
		}),
		{ numRuns: 40 },
	)
})

test('a table of several MiB is cut into files at the ends of frames, and comes back', async () => {
	const world = await createWorld()
	const database = new FakeDatabase()
	database.addTable('t', schemeOf(), rowsUpTo(60_000))
	await world.backup({ source: database })
	let pieces = 0
	const target = new MemoryTarget()
	target.onPiece = () => pieces++
	await exported(world, { target, fileBytes: 2 << 20 })
	expect(pieces).toBeGreaterThan(1)
	expect(target.files.has('t/data_01.csv')).toBe(true)
	expect((await restored(target)).rowCount('t')).toBe(60_000)
})

test('a stop leaves the mark and says what is left', async () => {
	const world = await createWorld()
	await world.backup()
	const stop = new AbortController()
	const target = new MemoryTarget()
	target.onPiece = (path) => {
		if (path.startsWith('plain/data')) stop.abort(new Error('enough'))
	}
	const error = await exported(world, { target, signal: stop.signal }).catch((thrown: unknown) => thrown)
	expect(isBackupError(error, 'INTERRUPTED') && error.advice).toContain('left unfinished')
	expect(target.files.has('incomplete')).toBe(true)
})

test('an encrypted backup is written as an open dump, with its key alone', async () => {
	const world = await createWorld()
	const keys = [{ name: 'a test', getKey: async () => Uint8Array.from(randomBytes(32)) }]
	const key = randomBytes(32)
	const right = [{ name: 'a test', getKey: async () => Uint8Array.from(key) }]
	await world.backup()
	const open = await exported(world)
	await world.backup({ encryption: { keys: right } })
	const target = await exported(world, { keys: right })
	expect(Array.from(target.files)).toEqual(Array.from(open.files))
	await expect(exported(world)).rejects.toMatchObject({ code: 'KEY_REQUIRED' })
	await expect(exported(world, { keys })).rejects.toMatchObject({ code: 'KEY_WRONG' })
})
