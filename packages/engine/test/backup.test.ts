import { BackupError, isBackupError } from '@ydbackup/core'
import { expect, test } from 'vitest'

import { rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld } from './world.ts'

test('a backup holds what the native layout needs, and its manifest lists every object of it', async () => {
	const world = await createWorld()
	const result = await world.backup({ compression: 'none', labels: { why: 'test' } })
	const top = `backups/${result.id}`
	const native = (await world.keys(`${top}/`)).map((key) => key.slice(top.length + 1))
	expect(native).toEqual(
		[
			...['SchemaMapping/mapping.json', 'SchemaMapping/metadata.json', 'metadata.json'],
			...['001', '002', '003'].flatMap((prefix) => [
				`${prefix}/metadata.json`,
				`${prefix}/permissions.pb`,
				`${prefix}/scheme.pb`,
			]),
		]
			.flatMap((name) => [name, `${name}.sha256`])
			.concat(
				['001/data_00', '001/data_01', '001/data_02', '001/data_03', '002/data_00', '003/data_00'].flatMap((name) => [
					`${name}.csv`,
					`${name}.csv.sha256`,
				]),
			)
			.toSorted(),
	)
	expect((await world.bytes(`${top}/002/data_00.csv`)).length).toBe(0)
	const { manifest } = await world.repository.read('latest')
	expect(manifest.files.map((file) => file.key).toSorted()).toEqual(
		[...(await world.keys(`${top}/`)), `catalog/${result.id}/objects.json`].toSorted(),
	)
	expect(manifest.counts).toMatchObject({ tables: 3, directories: 3, rows: '420' })
	expect(manifest.notes).toEqual([{ path: 'dir/pool', kind: 'resource-pool', reason: expect.any(String) }])
	expect(manifest).toMatchObject({ clock: 'server', readBack: 'done', labels: { why: 'test' } })
	expect(result).toMatchObject({ rows: 420, dryRun: false, database: '/local' })
	expect(result.warnings.map((warning) => warning.path)).toEqual(['dir/pool'])
	expect(await world.keys('runs/')).toEqual([])
	expect([...world.database.copies]).toEqual([])
})

test('the same rows give the same bytes, whatever the chunks they come in', async () => {
	const worlds = await Promise.all(
		[1, 7, 1000].map(async (chunkRows) => {
			const world = await createWorld()
			world.database.faults.chunkRows = chunkRows
			const { manifest } = await world.backup()
			return manifest?.files
				.filter((file) => file.role === 'data')
				.map((file) => [file.sha256, file.plainSha256, file.rowHash])
		}),
	)
	expect(worlds[1]).toEqual(worlds[0])
	expect(worlds[2]).toEqual(worlds[0])
})

test('a dry run writes neither to the database nor to storage, and names what it would take', async () => {
	const world = await createWorld()
	const before = await world.keys()
	const result = await world.backup({ dryRun: true })
	expect(result.tables.map((table) => table.path)).toEqual(['dir/sub/split', 'none', 'plain'])
	expect(result.directories).toEqual(['dir', 'dir/empty', 'dir/sub'])
	expect(result.notes.map((note) => note.path)).toEqual(['dir/pool'])
	expect(await world.keys()).toEqual(before)
	expect(world.database.calls).toEqual(['list ', 'root '])
})

test('a database without tables can be backed up: its directories are there', async () => {
	const world = await createWorld()
	for (const path of ['none', 'plain', 'dir/sub/split']) world.database.nodes.delete(path)
	const result = await world.backup()
	expect(result).toMatchObject({ rows: 0, tables: [], directories: ['dir', 'dir/empty', 'dir/sub'] })
	expect(world.database.calls).toEqual(['list ', 'root '])
	expect(await world.verify('full')).toMatchObject({ ok: true, findings: [] })
})

test('a stream that ends early and cleanly is found before the backup is listed, and nothing stays', async () => {
	const world = await createWorld()
	world.database.faults.endReadsAfter = 30
	const before = await world.keys()
	await expect(world.backup()).rejects.toMatchObject({
		code: 'COUNT_MISMATCH',
		message: expect.stringContaining('dir/sub/split'),
	})
	expect(await world.keys()).toEqual(before)
	expect([...world.database.copies]).toEqual([])
	await world.backup({ countRows: false })
})

test('a table that is dropped or altered before the copy gives one new plan, then an error', async () => {
	const world = await createWorld()
	let takes = 0
	world.database.faults.before = (call) => {
		if (call !== 'take' || ++takes > 1) return
		world.database.nodes.delete('plain')
		throw new BackupError('SCHEMA_CHANGED', 'plain was dropped')
	}
	const result = await world.backup()
	expect(result.tables.map((table) => table.path)).toEqual(['dir/sub/split', 'none'])
	world.database.faults.before = (call) => {
		if (call === 'take') throw new BackupError('SCHEMA_CHANGED', 'none was altered')
	}
	await expect(world.backup()).rejects.toThrow('none was altered')
	expect(await world.keys('runs/')).toEqual([])
})

test('what happens to the originals after the copy has no effect', async () => {
	const world = await createWorld()
	const before = world.database.picture()
	world.database.faults.before = (call) => {
		if (call !== 'read') return
		world.database.nodes.delete('plain')
		world.database.addTable('none', schemeOf({ splits: [5] }), rowsUpTo(9))
	}
	const result = await world.backup()
	expect(result.tables.map((table) => table.rows)).toEqual([300, 0, 120])
	const target = (await createWorld()).database
	target.nodes.clear()
	await world.restore(target)
	delete before['dir/pool']
	expect(target.picture()).toEqual(before)
})

test('a stop at any event either ends in nothing listed, with run and copies named, or comes too late', async () => {
	const counting = await createWorld()
	await counting.backup()
	const outcomes = new Set<string>()
	for (let at = 1; at <= counting.events.length; at++) {
		const world = await createWorld()
		const stop = new AbortController()
		let seen = 0
		const onEvent = (): void => {
			if (++seen === at) stop.abort(new Error('Ctrl-C'))
		}
		const error = await world.backup({ signal: stop.signal, onEvent }).then(
			() => undefined,
			(thrown: unknown) => thrown,
		)
		const listed = await world.repository.list()
		if (error === undefined) {
			outcomes.add('too late')
			expect(listed).toHaveLength(1)
			expect(await world.verify('full')).toMatchObject({ ok: true })
			expect([...world.database.copies]).toEqual([])
			continue
		}
		expect(isBackupError(error, 'INTERRUPTED')).toBe(true)
		expect(listed).toEqual([])
		expect((await world.keys('backups/')).filter((key) => /^backups\/[^/]*\/metadata\.json/u.test(key))).toEqual([])
		const [copies] = world.database.copies
		if (copies === undefined) continue
		outcomes.add('kept')
		expect((error as BackupError).advice).toContain(copies)
		expect(await world.repository.runs()).toHaveLength(1)
	}
	expect([...outcomes].toSorted()).toEqual(['kept', 'too late'])
})

test('a stop with discard leaves neither copies nor objects', async () => {
	const world = await createWorld()
	const before = await world.keys()
	const stop = new AbortController()
	let reads = 0
	world.database.faults.before = (call) => {
		if (call === 'read' && ++reads === 4) stop.abort()
	}
	await expect(world.backup({ signal: stop.signal, discardOnInterrupt: true })).rejects.toMatchObject({
		code: 'INTERRUPTED',
	})
	expect(await world.keys()).toEqual(before)
	expect([...world.database.copies]).toEqual([])
})

test('copies that cannot be dropped are named, and the run stays known', async () => {
	const world = await createWorld()
	world.database.faults.before = (call) => {
		if (call === 'drop') throw new BackupError('DATABASE_UNREACHABLE', 'gone')
	}
	const result = await world.backup()
	expect(result.warnings.some((warning) => warning.message.includes([...world.database.copies][0] ?? '?'))).toBe(true)
	expect(await world.repository.runs()).toHaveLength(1)
})

test('a failed read drops the copies and leaves nothing on storage', async () => {
	for (const call of ['read', 'countRows', 'take']) {
		const world = await createWorld()
		const before = await world.keys()
		world.database.faults.before = (name) => {
			if (name === call) throw new BackupError('DATABASE_REFUSED', `no ${call}`)
		}
		await expect(world.backup()).rejects.toThrow(`no ${call}`)
		expect(await world.keys()).toEqual(before)
		expect([...world.database.copies]).toEqual([])
	}
})

test('a run in which nothing moves ends with an error that names what it waited for', async () => {
	const world = await createWorld()
	world.database.faults.before = async (call, path) => {
		if (call === 'read' && path === 'plain') await new Promise((resolve) => setTimeout(resolve, 300))
	}
	await expect(world.backup({ stallLimitMs: 60 })).rejects.toMatchObject({
		code: 'DEADLINE_EXCEEDED',
		message: expect.stringContaining('plain'),
	})
	expect(await world.repository.list()).toEqual([])
})

test('progress ends at the totals, and never goes back over them', async () => {
	const world = await createWorld()
	await world.backup()
	const progress = world.events.filter((event) => event.type === 'progress')
	expect(progress.at(-1)).toMatchObject({ rows: 420, totalRows: 420, tablesDone: 3, tablesTotal: 3 })
})
