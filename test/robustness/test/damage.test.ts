import { readdir, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, afterAll, expect, test } from 'vitest'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { createWorld, type World } from '../../e2e/src/world.ts'

let world: World
let files: string[]

beforeAll(async () => {
	world = await createWorld()
	await world.seed(400)
	await world.run(['repo', 'init'])
	const { code, result } = await world.runOnDatabase(['backup', 'create'])
	expect(code).toBe(0)
	await dropEverything(world.endpoint, world.database)
	const all = await readdir(world.repo, { recursive: true, withFileTypes: true })
	files = all
		.filter((entry) => entry.isFile() && entry.name !== 'ydbackup.json')
		.map((entry) => join(entry.parentPath, entry.name))
		.filter((path) => path.includes(result.id))
		.sort()
})
afterAll(() => world[Symbol.asyncDispose]())

interface Damage {
	readonly name: string
	/** The file in its damaged state, or undefined for "gone"; unchanged bytes mean that this damage does not apply. */
	make(bytes: Buffer): Buffer | undefined
}

const flip =
	(at: (length: number) => number): Damage['make'] =>
	(bytes) => {
		const copy = Buffer.from(bytes)
		if (copy.length > 0) copy[at(copy.length)]! ^= 0x10
		return copy
	}

const DAMAGES: readonly Damage[] = [
	{ name: 'missing', make: () => undefined },
	{ name: 'cut by one byte', make: (bytes) => bytes.subarray(0, Math.max(0, bytes.length - 1)) },
	{ name: 'empty', make: () => Buffer.alloc(0) },
	{ name: 'one bit flipped in the middle', make: flip((length) => length >> 1) },
	{ name: 'one bit flipped at the end', make: flip((length) => length - 1) },
	{ name: 'a byte too many', make: (bytes) => Buffer.concat([bytes, Buffer.from('x')]) },
]

/** Damage that only reading every byte can show. */
const KEEPS_SIZE = new Set(['one bit flipped in the middle', 'one bit flipped at the end'])

/** One file of each role is enough through the command line; the engine's own tests go over all of them. */
function sample(): string[] {
	const byRole = new Map<string, string>()
	for (const path of files) {
		const role = path.split('/').at(-1)!.replace(/\d+/u, 'N')
		if (!byRole.has(role)) byRole.set(role, path)
	}
	return [...byRole.values()]
}

test.each(DAMAGES.map((damage) => [damage.name, damage] as const))(
	'every kind of file that is %s is found by verify and refused by restore, which creates nothing half',
	async (name, damage) => {
		for (const path of sample()) {
			const original = await readFile(path)
			const { mode } = await stat(path)
			const damaged = damage.make(original)
			if (damaged?.equals(original)) continue
			if (damaged === undefined) await unlink(path)
			else await writeFile(path, damaged, { mode })
			const short = path.slice(world.repo.length)
			// None of them writes to the repository.
			const [verified, quick, restored] = await Promise.all([
				world.run(['backup', 'verify', 'latest', '--level', 'full']),
				world.run(['backup', 'verify', 'latest']),
				world.runOnDatabase(['restore', 'latest']),
			])
			const isManifest = path.endsWith('/manifest.json')
			const gone = isManifest && damaged === undefined
			expect({ short, code: verified.code }).toEqual({ short, code: gone ? 4 : 3 })
			if (!isManifest) expect(verified.stdout, short).toContain(path.split('/').at(-1))
			if (!KEEPS_SIZE.has(name) && !isManifest) expect({ short, quick: quick.code }).toEqual({ short, quick: 3 })
			expect({ short, code: restored.code }).toEqual({ short, code: gone ? 4 : 3 })
			const left = await world.picture()
			for (const [at, { kind, rows }] of left)
				if (kind === 'table') expect({ short, at, rows }).not.toMatchObject({ rows: 0 })
			if (left.size > 0) await dropEverything(world.endpoint, world.database)
			await writeFile(path, original, { mode })
		}
		expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })
	},
	300_000,
)

test('a repository whose data files were all cut to nothing restores nothing', async () => {
	const data = files.filter((path) => /data_\d+\.csv\.zst$/.test(path))
	const originals = await Promise.all(data.map((path) => readFile(path)))
	for (const path of data) await truncate(path, 0)
	expect(await world.runOnDatabase(['restore', 'latest'])).toMatchObject({ code: 3 })
	expect([...(await world.picture()).values()].filter(({ kind }) => kind === 'table')).toEqual([])
	for (const [at, path] of data.entries()) await writeFile(path, originals[at]!)
})
