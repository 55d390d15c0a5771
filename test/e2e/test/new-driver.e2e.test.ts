import { execFile } from 'node:child_process'
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { driverFiles, nameProblem, TEMPLATES } from '../../../tools/new-driver/files.ts'
import { scratch } from '../src/scratch.ts'
import { ydbackup } from '../src/ydbackup.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const run = promisify(execFile)
const make = (place: string, ...words: string[]): Promise<{ stdout: string }> =>
	run(process.execPath, [join(ROOT, 'tools/new-driver/main.ts'), ...words], {
		cwd: ROOT,
		env: { ...process.env, INIT_CWD: place },
	})

test('a new driver builds, passes the kit, and is found and used', { timeout: 120_000 }, async () => {
	await using place = await scratch()
	const { stdout } = await make(place.path, 'acme-tape')
	const root = join(place.path, 'ydbackup-storage-acme-tape')
	expect(stdout).toContain('ydbackup-storage-acme-tape/src/index.ts')
	expect((await readdir(root)).toSorted()).toEqual(
		['.github', '.gitignore', 'LICENSE', 'README.md', 'package.json', 'src', 'test', 'tsconfig.json'].toSorted(),
	)
	expect(await readFile(join(root, 'README.md'), 'utf8')).not.toContain('{{')

	// What npm install would bring, without a registry.
	await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'))
	const env = { ...process.env, PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}` }
	const tested = await run('npm', ['test'], { cwd: root, env, timeout: 100_000 })
	expect(tested.stdout).toMatch(/[4-9]\d passed/)

	const added = join(place.path, 'data/ydbackup/drivers')
	await mkdir(join(added, 'node_modules'), { recursive: true })
	await writeFile(join(added, 'package.json'), '{"dependencies":{"ydbackup-storage-acme-tape":"0.1.0"}}')
	await symlink(root, join(added, 'node_modules/ydbackup-storage-acme-tape'))
	const user = { XDG_DATA_HOME: join(place.path, 'data') }
	const listed = await ydbackup(['driver', 'list', '--json'], { env: user })
	expect(listed.result.drivers).toContainEqual({
		scheme: 'acme-tape',
		package: 'ydbackup-storage-acme-tape',
		version: '0.1.0',
		summary: 'a store of acme-tape',
		origin: 'user',
	})
	const used = await ydbackup(['repo', 'init', '--repo', 'acme-tape://place/prefix', '--json'], { env: user })
	expect(used).toMatchObject({ code: 0 })
})

test('bad names and directories that are in use are refused', async () => {
	await using place = await scratch()
	await mkdir(join(place.path, 'ydbackup-storage-acme'))
	await writeFile(join(place.path, 'ydbackup-storage-acme/mine'), '')
	for (const words of [['acme'], ['Acme'], ['s3'], ['../x'], ['a--b'], [], ['a', 'b', 'c']]) {
		const error = (await make(place.path, ...words).catch((thrown: unknown) => thrown)) as {
			code: number
			stderr: string
		}
		expect([error.code, error.stderr], words.join(' ')).toEqual([2, expect.stringContaining('usage:')])
	}
	expect(await readdir(place.path)).toEqual(['ydbackup-storage-acme'])
	expect(nameProblem('a'.repeat(41))).toBeDefined()
	const templates = Object.fromEntries(TEMPLATES.map((one) => [one, '{{name}} {{Class}} {{ENV}} {{core}} {{other}}']))
	const versions = { core: '^1.0.0', kit: '^1.0.0', typescript: '7', vitest: '5', contract: 1 }
	const files = driverFiles('a-b', templates, versions)
	expect(files.get('package.json')).toBe('a-b AB A_B ^1.0.0 {{other}}')
})
