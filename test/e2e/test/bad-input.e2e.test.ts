import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createWorld } from '../src/world.ts'

const CANARY = 'canary-5ecret-do-not-print'

test.concurrent('a port where nobody listens is a database that cannot be reached', async () => {
	await using world = await createWorld()
	await world.run(['repo', 'init'])
	const { code, error } = await world.run([
		'backup',
		'create',
		'--endpoint',
		'grpc://127.0.0.1:1',
		'--database',
		'/local',
	])
	expect({ code, error: error.code }).toEqual({ code: 6, error: 'DATABASE_UNREACHABLE' })
	expect(error.message).toContain('127.0.0.1:1')
	expect(error.advice).toBeTruthy()
})

test.concurrent('a host that does not resolve is named', async () => {
	await using world = await createWorld()
	await world.run(['repo', 'init'])
	const { code, error } = await world.run([
		'backup',
		'create',
		'--endpoint',
		'grpc://no-such-host.invalid:2136',
		'--database',
		'/local',
	])
	expect({ code, error: error.code }).toEqual({ code: 6, error: 'DATABASE_UNREACHABLE' })
	expect(error.message).toContain('no-such-host.invalid')
})

test.concurrent('a server that accepts and never answers does not hang the command', async () => {
	await using world = await createWorld()
	await world.run(['repo', 'init'])
	const sockets = new Set<import('node:net').Socket>()
	const silent = createServer((socket) => void sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1')
	await new Promise((resolve) => silent.once('listening', resolve))
	const { port } = silent.address() as { port: number }
	try {
		const { code, error } = await world.run([
			'backup',
			'create',
			'--endpoint',
			`grpc://127.0.0.1:${port}`,
			'--database',
			'/local',
		])
		expect({ code, error: error.code }).toEqual({ code: 6, error: 'DATABASE_UNREACHABLE' })
	} finally {
		for (const socket of sockets) socket.destroy()
		silent.close()
	}
})

test('a database that the endpoint does not serve is named', async () => {
	await using world = await createWorld()
	await world.run(['repo', 'init'])
	const { code, error } = await world.run([
		'backup',
		'create',
		'--endpoint',
		world.endpoint,
		'--database',
		'/elsewhere',
	])
	expect([6, 8]).toContain(code)
	expect(error.message).toContain('/elsewhere')
})

test('a wrong password is refused, and is not repeated to anybody', async () => {
	await using world = await createWorld({ auth: { users: { root: 'right' } } })
	await world.run(['repo', 'init'])
	const password = join(world.directory, 'password')
	await writeFile(password, `${CANARY}\n`)
	const words = ['backup', 'create', '--endpoint', world.endpoint, '--database', world.database, '--user', 'root']
	const ran = await world.run([...words, '--password-file', password])
	expect({ code: ran.code, error: ran.error.code }).toEqual({ code: 8, error: 'DATABASE_UNAUTHENTICATED' })
	expect(ran.stdout + ran.stderr).not.toContain(CANARY)
	await writeFile(password, 'right\n')
	expect(await world.run([...words, '--password-file', password])).toMatchObject({ code: 0 })
})

test('a repository path that is a file is wrong usage', async () => {
	await using world = await createWorld()
	await writeFile(world.repo, 'not a directory')
	const { code, error } = await world.run(['repo', 'init'])
	expect({ code, error: error.code }).toEqual({ code: 2, error: 'LOCATION_INVALID' })
	expect(await readFile(world.repo, 'utf8')).toBe('not a directory')
})

test('a place where nothing may be written is a matter of rights', async () => {
	await using world = await createWorld()
	const { code, error } = await world.run(['repo', 'init', '--repo', '/sys/kernel/ydbackup'])
	expect([7, 8]).toContain(code)
	expect(error.message).toContain('/sys/kernel/ydbackup')
})

test('a directory that is no repository is said to be none, and nothing is written to it', async () => {
	await using world = await createWorld()
	await mkdir(world.repo)
	for (const words of [
		['backup', 'list'],
		['repo', 'show'],
		['backup', 'verify', 'latest'],
	]) {
		const { code, error } = await world.run(words)
		expect({ words, code, error: error.code }).toEqual({ words, code: 4, error: 'REPOSITORY_NOT_FOUND' })
	}
	expect(await readdir(world.repo)).toEqual([])
})

test('a directory with other files does not become a repository', async () => {
	await using world = await createWorld()
	await mkdir(world.repo)
	await writeFile(join(world.repo, 'holiday.txt'), 'x')
	const { code, error } = await world.run(['repo', 'init'])
	expect({ code, error: error.code }).toEqual({ code: 5, error: 'REPOSITORY_EXISTS' })
	expect(await readdir(world.repo)).toEqual(['holiday.txt'])
})

test('a repository of a newer version is refused before anything is read', async () => {
	await using world = await createWorld()
	await world.run(['repo', 'init'])
	const header = join(world.repo, 'ydbackup.json')
	const text = JSON.parse(await readFile(header, 'utf8')) as { version: number }
	await writeFile(header, JSON.stringify({ ...text, version: 99 }))
	const { code, error } = await world.run(['backup', 'list'])
	expect({ code, error: error.code }).toEqual({ code: 3, error: 'REPOSITORY_VERSION' })
	expect(error.message).toContain('99')
})

test('a backup that does not exist is not found', async () => {
	await using world = await createWorld()
	await world.run(['repo', 'init'])
	for (const id of ['20260101T000000Z-zzzz', 'latest', '../../etc/passwd']) {
		const { code, error } = await world.runOnDatabase(['restore', id])
		expect({ id, code }).toEqual({ id, code: id.startsWith('..') ? 2 : 4 })
		expect(error.message.length).toBeGreaterThan(10)
	}
})

test('a scheme that no driver serves names those that there are', async () => {
	await using world = await createWorld()
	const { code, error } = await world.run(['backup', 'list', '--repo', 'acme://bucket/prefix'])
	expect({ code, error: error.code }).toEqual({ code: 2, error: 'DRIVER_MISSING' })
	expect(error.advice).toMatch(/install a package that serves it; there are drivers for .*s3:/)
})

test('credentials in a repository URL are refused without being repeated', async () => {
	await using world = await createWorld()
	const ran = await world.run(['backup', 'list', '--repo', `s3://key:${CANARY}@bucket/prefix`])
	expect(ran.code).toBe(2)
	expect(ran.stdout + ran.stderr).not.toContain(CANARY)
})

test('unknown flags and commands are wrong usage, as JSON too', async () => {
	await using world = await createWorld()
	for (const words of [['backup', 'create', '--no-such-flag'], ['backup', 'explode'], ['restore']]) {
		const { code, error } = await world.run(words)
		expect({ words, code, error: error.code }).toEqual({ words, code: 2, error: 'CONFIG_INVALID' })
	}
})

test('a path that is not in the database is named', async () => {
	await using world = await createWorld()
	await world.run(['repo', 'init'])
	const { code, error } = await world.runOnDatabase(['backup', 'create', '--path', 'no/such/table'])
	expect({ code, error: error.code }).toEqual({ code: 4, error: 'PATH_NOT_FOUND' })
	expect(error.message).toContain('no/such/table')
})

test('more tables than one consistent copy may take are refused before anything is copied', async () => {
	await using world = await createWorld({ faults: { maxCopyTargets: 2 } })
	await world.seed(10)
	await world.run(['repo', 'init'])
	const before = await world.picture()
	const { code, error } = await world.runOnDatabase(['backup', 'create'])
	expect(code).toBe(6)
	expect(['TOO_MANY_TABLES', 'DATABASE_REFUSED']).toContain(error.code)
	expect([...(await world.picture()).keys()]).toEqual([...before.keys()])
	expect((await world.run(['backup', 'list'])).result.backups).toEqual([])
})

test('a full disk ends the run with its name, leaves nothing that is listed, and the next run works', async (context) => {
	await using world = await createWorld()
	await world.seed(3000)
	const place = join(world.directory, 'small')
	await mkdir(place)
	const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=192k', 'none', place])
	if (mounted.status !== 0) context.skip('only root may mount a small file system')
	const env = { YDBACKUP_REPO: join(place, 'repo') }
	try {
		expect(await world.run(['repo', 'init'], { env })).toMatchObject({ code: 0 })
		const { code, error } = await world.runOnDatabase(['backup', 'create'], { env })
		expect({ code, error: error.code }).toEqual({ code: 7, error: 'STORAGE_QUOTA' })
		expect(error.message).toMatch(/ENOSPC|no space/i)
		expect((await world.run(['backup', 'list'], { env })).result.backups).toEqual([])
		spawnSync('mount', ['-o', 'remount,size=64m', place])
		expect(await world.runOnDatabase(['backup', 'create'], { env })).toMatchObject({ code: 0 })
		expect((await world.run(['backup', 'list'], { env })).result.backups).toHaveLength(1)
	} finally {
		spawnSync('umount', [place])
	}
})
