import { execFile, spawn } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test, type TestContext } from 'vitest'
import { load } from '../../../tools/seed/load.ts'
import { seedTables } from '../../../tools/seed/tables.ts'
import { differences, type Picture } from '../../../tools/demo/picture.ts'
import { dropEverything, theirPicture } from '../../../tools/demo/their-reader.ts'
import { startSftpServer } from '../../../examples/storage-sftp/test/server/index.ts'
import { scratch } from '../src/scratch.ts'
import { type Ran, ydbackup } from '../src/ydbackup.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const OFFLINE = /ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ENOTCACHED/
const run = promisify(execFile)

interface Target {
	readonly endpoint: string
	readonly database: string
}

type Cli = (words: string[], env?: Record<string, string>) => Promise<Ran>

/** Packs what would be published and installs it in an empty directory, as a user does: without the workspace and its overrides. */
async function install(place: string, context: TestContext): Promise<void> {
	const rooms = ['packages', 'plugins', 'apps', 'examples'].map((kind) => `--workspace=${kind}`)
	await run('npm', ['pack', ...rooms, '--pack-destination', place, '--silent'], { cwd: ROOT, timeout: 120_000 })
	const tarballs = (await readdir(place)).filter((name) => name.endsWith('.tgz'))
	expect(tarballs.length).toBeGreaterThan(9)
	await writeFile(join(place, 'package.json'), '{"private":true}')
	const words = ['install', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs.map((name) => `./${name}`)]
	try {
		await run('npm', words, { cwd: place, timeout: 180_000 })
	} catch (error) {
		const { stderr = '' } = error as { stderr?: string }
		if (OFFLINE.test(stderr)) context.skip('the npm registry cannot be reached from here')
		throw error
	}
}

/** The driver that is not ours: nothing of ours knows it, and it was installed from its tarball beside the command. */
async function onSftp(cli: Cli, { endpoint, database }: Target, before: Picture): Promise<void> {
	await using server = await startSftpServer()
	const env = { YDBACKUP_REPO: server.url('repository').href, YDBACKUP_SFTP_PASSWORD: server.password }
	const { drivers } = (await cli(['driver', 'list'])).result as { drivers: { scheme: string; origin: string }[] }
	expect(drivers.filter(({ scheme }) => scheme === 'sftp')).toMatchObject([
		{ package: 'ydbackup-storage-sftp', origin: 'project' },
	])
	expect(await cli(['driver', 'check', env.YDBACKUP_REPO, '--no-speed'], env)).toMatchObject({
		code: 0,
		result: { isConforming: true },
	})
	expect(await cli(['repo', 'init'], env)).toMatchObject({ code: 0 })
	expect(await cli(['backup', 'create'], env)).toMatchObject({ code: 0 })
	expect(await cli(['backup', 'verify', 'latest', '--level', 'full'], env)).toMatchObject({ code: 0 })
	await dropEverything(endpoint, database)
	const restored = await cli(['restore', 'latest', '--verify-data'], env)
	expect(restored).toMatchObject({ code: 0 })
	expect(restored.stdout + restored.stderr).not.toContain(server.password)
	expect(differences(before, await theirPicture(endpoint, database))).toEqual([])
}

test(
	'packed and installed outside of the workspace, it backs up and restores',
	{ timeout: 400_000 },
	async (context) => {
		await using place = await scratch()
		await install(place.path, context)
		const modules = join(place.path, 'node_modules')
		const protobuf = JSON.parse(await readFile(join(modules, '@bufbuild/protobuf/package.json'), 'utf8'))
		expect(protobuf.version).toMatch(/^2\./)

		const server = spawn(
			process.execPath,
			[join(modules, '@ydbackup/emulator/bin/ydb-emulator.js'), '--port', '0', '--data', join(place.path, 'data')],
			{ stdio: ['ignore', 'pipe', 'inherit'] },
		)
		try {
			const connection = await new Promise<string>((resolve, reject) => {
				const timer = setTimeout(() => reject(new Error('the emulator is not ready after 20 s')), 20_000)
				createInterface({ input: server.stdout }).on('line', (line) => {
					const found = /grpc:\/\/\S+/.exec(line)
					if (!found) return
					clearTimeout(timer)
					resolve(found[0])
				})
				server.once('exit', (code) => reject(new Error(`the emulator exited with ${code}`)))
			})
			const { origin: endpoint, pathname: database } = new URL(connection.replace('grpc:', 'http:'))
			const target = { endpoint: endpoint.replace('http:', 'grpc:'), database }
			await load(target, seedTables(2000), () => {})
			const before = await theirPicture(target.endpoint, database)

			const bin = join(modules, '@ydbackup/cli/bin/run.js')
			const env = {
				YDBACKUP_REPO: join(place.path, 'repo'),
				YDB_CONNECTION_STRING: connection,
				YDB_ANONYMOUS_CREDENTIALS: '1',
			}
			const cli: Cli = (words, more = {}) =>
				ydbackup([...words, '--json'], { bin, env: { ...env, ...more }, limitMs: 180_000 })
			expect(await cli(['driver', 'list'])).toMatchObject({ code: 0 })
			expect(await cli(['repo', 'init'])).toMatchObject({ code: 0 })
			expect(await cli(['backup', 'create'])).toMatchObject({ code: 0 })
			expect(await cli(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })
			await dropEverything(target.endpoint, database)
			expect(await cli(['restore', 'latest', '--verify-data'])).toMatchObject({ code: 0 })
			expect(differences(before, await theirPicture(target.endpoint, database))).toEqual([])
			await onSftp(cli, target, before)
			const { stdout } = await run(join(modules, '.bin/ydbackup'), ['--version'], {
				env: { PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}` },
			})
			expect(stdout).toMatch(/^@ydbackup\/cli\//)
		} finally {
			server.kill('SIGKILL')
		}
	},
)
