import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expect, test } from 'vitest'
import { differences } from '../../../tools/demo/picture.ts'
import { dropEverything, runStatements, theirPicture } from '../../../tools/demo/their-reader.ts'
import { createWorld, type World } from '../src/world.ts'

async function keyFile(world: World, name: string, size = 32): Promise<{ path: string; bytes: Buffer }> {
	const path = join(world.directory, name)
	const bytes = randomBytes(size)
	await writeFile(path, bytes)
	return { path, bytes }
}

async function stored(repo: string): Promise<[string, Buffer][]> {
	const entries = await readdir(repo, { recursive: true, withFileTypes: true })
	const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
	return Promise.all(
		files.map(async (file): Promise<[string, Buffer]> => [file.slice(repo.length + 1), await readFile(file)]),
	)
}

test(
	'an encrypted chain is taken, looked at without its key, and comes back with it',
	{ timeout: 180_000 },
	async () => {
		await using world = await createWorld()
		const { endpoint, database, repo } = world
		const { path, bytes } = await keyFile(world, 'key')
		const key = ['--encryption-key', `file:${path}`]
		await world.seed(500)
		expect(await world.run(['repo', 'init'])).toMatchObject({ code: 0 })
		const first = await world.runOnDatabase(['backup', 'create', '--encryption-algorithm', 'chacha20-poly1305', ...key])
		expect(first, first.stderr).toMatchObject({ code: 0, result: { encryption: { algorithm: 'ChaCha20-Poly1305' } } })
		const { keyId } = first.result.encryption
		const full = await theirPicture(endpoint, database)
		await runStatements(endpoint, database, ['UPDATE `geo/cities` SET population = 1 WHERE id < 50;'])
		const open = await world.runOnDatabase(['backup', 'create', '--incremental'])
		expect(open).toMatchObject({ code: 2, error: { code: 'KEY_REQUIRED' } })
		const second = await world.runOnDatabase(['backup', 'create', '--incremental'], {
			env: { YDB_ENCRYPTION_KEY: bytes.toString('hex') },
		})
		expect(second, second.stderr).toMatchObject({ code: 0 })
		const changed = await theirPicture(endpoint, database)
		for (const id of [first.result.id, 'latest']) {
			const native = await world.run(['backup', 'verify', id, '--level', 'full', '--layout', 'native', ...key])
			expect(native, native.stdout).toMatchObject({ code: 0, result: { ok: true, native: { ok: true } } })
		}

		for (const [name, object] of await stored(repo)) {
			// Three letters stand in random bytes by chance.
			const short = name.endsWith('.enc') ? [] : ['geo']
			for (const word of ['cities', ...short, 'geo/ci', 'population', bytes.toString('hex')]) {
				expect(object.includes(word), `${name} holds ${word}`).toBe(false)
			}
			expect(object.includes(bytes), name).toBe(false)
		}
		const blind = await world.run(['backup', 'verify', 'latest', '--level', 'full'])
		expect(blind).toMatchObject({ code: 0, result: { ok: true, checked: 'stored-bytes', keysUsed: [] } })
		expect((await world.run(['repo', 'show'])).result.keys).toEqual([
			{ id: keyId, backups: 2, lastOpened: { at: expect.any(String), backup: second.result.id, by: 'backup' } },
		])
		expect((await world.run(['backup', 'show', 'latest'])).result.tables[0].path).toBe('001')
		const named = (await world.run(['backup', 'show', 'latest', ...key])).result
		expect(named.tables.map((table: { path: string }) => table.path)).toContain('geo/cities')
		expect(await world.run(['backup', 'verify', 'latest', '--level', 'full', ...key])).toMatchObject({
			code: 0,
			result: { ok: true, checked: 'contents', keysUsed: [keyId] },
		})

		for (const [id, picture] of [
			[first.result.id, full],
			['latest', changed],
		] as const) {
			await dropEverything(endpoint, database)
			const restored = await world.runOnDatabase(['restore', id, '--verify-data', ...key])
			expect(restored, restored.stderr).toMatchObject({ code: 0, result: { keysUsed: [keyId] } })
			expect(differences(picture, await theirPicture(endpoint, database))).toEqual([])
		}
	},
)

test(
	'a wrong key, no key and a broken one have each their error and exit code, and nothing is written',
	{ timeout: 120_000 },
	async () => {
		await using world = await createWorld()
		const { endpoint, database, repo } = world
		const right = await keyFile(world, 'right', 16)
		const wrong = await keyFile(world, 'wrong', 16)
		await world.seed(10)
		expect(await world.run(['repo', 'init'])).toMatchObject({ code: 0 })
		const before = (await stored(repo)).length

		const fickle = `command:${JSON.stringify(process.execPath)} -p "require('crypto').randomBytes(32).toString('hex')"`
		const refused: readonly (readonly [readonly string[], number, string])[] = [
			[['--encryption-key', fickle], 8, 'KEY_WRONG'],
			[['--encryption-key', 'env:NO_SUCH_KEY'], 8, 'KEY_UNAVAILABLE'],
			[['--encryption-key-file', join(world.directory, 'nowhere')], 8, 'KEY_UNAVAILABLE'],
			[['--encryption-key', right.bytes.toString('hex')], 2, 'CONFIG_INVALID'],
			[['--encryption-algorithm', 'aes-256-gcm'], 2, 'KEY_REQUIRED'],
			[['--encryption-algorithm', 'aes-256-gcm', '--encryption-key-file', right.path], 2, 'CONFIG_INVALID'],
		]
		for (const [words, code, error] of refused) {
			const ran = await world.runOnDatabase(['backup', 'create', ...words])
			expect(ran, words.join(' ')).toMatchObject({ code, error: { code: error } })
			expect(`${ran.stdout}${ran.stderr}`).not.toContain(right.bytes.toString('hex'))
		}
		expect((await stored(repo)).length).toBe(before)

		const made = await world.runOnDatabase(['backup', 'create', '--encryption-key-file', right.path])
		expect(made).toMatchObject({ code: 0, result: { encryption: { algorithm: 'AES-128-GCM' } } })
		await dropEverything(endpoint, database)
		const empty = await theirPicture(endpoint, database)
		for (const [words, code, error] of [
			[[], 2, 'KEY_REQUIRED'],
			[['--encryption-key-file', wrong.path], 8, 'KEY_WRONG'],
		] as const) {
			for (const command of [
				['restore', 'latest'],
				['restore', 'latest', '--dry-run'],
			]) {
				expect(await world.runOnDatabase([...command, ...words])).toMatchObject({ code, error: { code: error } })
			}
		}
		const verified = await world.run(['backup', 'verify', 'latest', '--encryption-key-file', wrong.path])
		expect(verified).toMatchObject({ code: 8, error: { code: 'KEY_WRONG' } })
		expect(differences(empty, await theirPicture(endpoint, database))).toEqual([])

		const data = (await stored(repo)).find(([name]) => name.endsWith('.csv.zst.enc'))!
		const bytes = Buffer.from(data[1])
		bytes[bytes.length - 30]! ^= 1
		await writeFile(join(repo, data[0]), bytes)
		const damaged = await world.run([
			'backup',
			'verify',
			'latest',
			'--level',
			'full',
			'--encryption-key-file',
			right.path,
		])
		expect(damaged).toMatchObject({ code: 3, error: { code: 'OBJECT_DAMAGED' } })
		expect(damaged.error.message).toContain('does not decrypt')
	},
)
