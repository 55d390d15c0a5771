import { Repository, takeLease } from '@ydbackup/catalog'
import { BackupError, type Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { collectGarbage, copyBackup, type CopyBackupOptions, type CopyBackupResult, verify } from '../src/index.ts'
import { FakeDatabase } from './fake-database.ts'
import { intercept } from './intercept.ts'
import { keyOf, rowFrame } from './row-bytes.ts'
import { createWorld, TOOL, World } from './world.ts'

const KEY = { name: 'test', getKey: () => Promise.resolve(Buffer.alloc(32, 7)) }

/** Two links upon a full backup, and another full backup. */
async function chain(encryption?: NonNullable<Parameters<World['backup']>[0]>['encryption']): Promise<{
	readonly world: World
	readonly ids: readonly string[]
}> {
	const world = await createWorld()
	const ids: string[] = []
	for (const minute of [0, 1, 2, 3]) {
		const at = new Date(Date.UTC(2026, 10, 21, 0, minute))
		world.database.putRows('plain', [rowFrame([5000 + minute, 'new', minute])])
		world.database.deleteRow('plain', keyOf(1001 + minute))
		const parent = minute === 0 || minute === 3 ? undefined : ids.at(-1)
		const result = await world.backup({ clock: () => at, parent, encryption })
		ids.push(result.manifest!.id)
	}
	return { world, ids }
}

const copy = (
	{ repository }: World,
	id: string,
	to: Storage,
	options: Partial<CopyBackupOptions> = {},
): Promise<CopyBackupResult> => copyBackup({ repository, id, to, ...options })

async function contentOf(storage: Storage, ...folders: readonly string[]): Promise<Record<string, string>> {
	const found: Record<string, string> = {}
	for await (const { key } of storage.list('')) {
		if (!folders.some((folder) => key.startsWith(folder))) continue
		const chunks: Uint8Array[] = []
		for await (const bytes of (await storage.get(key)).bytes) chunks.push(bytes)
		found[key] = Buffer.concat(chunks).toString('hex')
	}
	return found
}

test('a link is copied with all that it builds upon, byte for byte, and nothing else; a second time sends nothing', async () => {
	const { world, ids } = await chain()
	// A name of its own: two stores in memory are called alike.
	const to = placed(openMemory())
	const result = await copy(world, ids[2]!, to)
	expect(result.backups.map(({ id, state }) => [id, state])).toEqual(ids.slice(0, 3).map((id) => [id, 'copied']))
	const folders = ids.slice(0, 3).flatMap((id) => [`backups/${id}/`, `catalog/${id}/`])
	expect(await contentOf(to, '')).toEqual(await contentOf(world.storage, 'ydbackup.json', ...folders))
	const repository = await Repository.open(to)
	expect(await verify({ repository, id: ids[2]!, level: 'full' })).toMatchObject({ findings: [] })
	const [original, copied] = [new FakeDatabase(), new FakeDatabase()]
	await world.restore(original, { id: ids[2]! })
	await new World(world.database, to, repository).restore(copied, { id: ids[2]!, verifyData: true })
	expect(copied.picture()).toEqual(original.picture())

	const again = await copy(world, ids[2]!, to)
	expect(again).toMatchObject({ bytes: 0, backups: [{ state: 'present' }, { state: 'present' }, { state: 'present' }] })
	const other = await copy(world, 'latest', to)
	expect(other.backups).toMatchObject([{ id: ids[3], state: 'copied' }])
})

test('an encrypted chain needs no key to be copied, and opens with its own', async () => {
	const { world, ids } = await chain({ keys: [KEY], algorithm: 'AES-256-GCM' })
	const to = placed(openMemory())
	await copy(world, ids[1]!, to)
	const repository = await Repository.open(to)
	expect(await verify({ repository, id: ids[1]!, level: 'full', keys: [KEY] })).toMatchObject({ findings: [] })
})

test('killed behind any put it lists nothing half, and the next time sends only what is missing', async () => {
	const { world, ids } = await chain()
	const counting = placed(openMemory())
	await copy(world, ids[1]!, counting, { concurrency: 1 })
	const whole = await contentOf(counting, '')
	let total = Number.POSITIVE_INFINITY
	for (let nth = 1; nth < total; nth += 3) {
		const memory = openMemory()
		let puts = 0
		const alive = (): void => {
			if (puts >= nth) throw new BackupError('STORAGE_PERMANENT', 'the process is dead')
		}
		const mortal = intercept(memory, {
			async put(key, body, options, next) {
				alive()
				const info = await next(key, body, options)
				puts++
				return info
			},
			stat: async (key, next) => (alive(), next(key)),
			delete: async (key, next) => (alive(), next(key)),
		})
		const error: unknown = await copy(world, ids[1]!, placed(mortal), { concurrency: 1 }).catch(
			(thrown: unknown) => thrown,
		)
		if (!(error instanceof BackupError)) total = nth
		// Its lease ends by time; here at once.
		for await (const { key } of memory.list('leases/')) await memory.delete(key)
		const repository = await Repository.open(memory)
		for (const id of await repository.ids()) {
			expect(await verify({ repository, id, level: 'full' }), `killed behind ${nth}`).toMatchObject({ findings: [] })
		}
		const again = await copy(world, ids[1]!, placed(memory))
		const files = Object.keys(whole).filter((key) => key.startsWith('backups/')).length
		if (nth > 20) expect(again.backups.reduce((sum, { objects }) => sum + objects, 0)).toBeLessThan(files)
		expect(await contentOf(memory, '')).toEqual(whole)
	}
	expect(total).toBeGreaterThan(20)
})

test('what is damaged on the way, or was, is found before the copy is listed', async () => {
	const { world, ids } = await chain()
	const garbling = intercept(openMemory(), {
		put: (key, body, options, next) =>
			key.endsWith('data_00.csv.zst')
				? next(key, Buffer.alloc(options.size ?? 0), { signal: options.signal })
				: next(key, body, options),
	})
	await expect(copy(world, ids[0]!, placed(garbling))).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' })
	expect(await (await Repository.open(garbling)).ids()).toEqual([])

	const to = placed(openMemory())
	const key = (await world.keys(`backups/${ids[0]}/`)).find((name) => name.includes('data_'))!
	const bytes = await world.bytes(key)
	bytes[3]! ^= 1
	await world.storage.put(key, bytes)
	await expect(copy(world, ids[0]!, to)).rejects.toMatchObject({
		code: 'OBJECT_DAMAGED',
		message: expect.stringContaining(key),
	})
	expect(await (await Repository.open(to)).ids()).toEqual([])

	// Nobody goes on with it: what it has left is found and goes.
	const repository = await Repository.open(to)
	await collectGarbage({ repository, settleMs: 0, tool: TOOL } as Parameters<typeof collectGarbage>[0])
	expect(Object.keys(await contentOf(to, ''))).toEqual(['ydbackup.json'])
})

test('another repository, another place with something in it, its own place, and a copy that is under way are refused', async () => {
	const { world, ids } = await chain()
	const other = await createWorld(placed(openMemory()))
	await expect(copy(world, ids[0]!, other.storage)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' })
	const full = placed(openMemory())
	await full.put('notes.txt', Buffer.from('mine'))
	await expect(copy(world, ids[0]!, full)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' })
	await expect(copy(world, ids[0]!, world.storage)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
	const to = placed(openMemory())
	await copy(world, ids[0]!, to)
	await using _ = await takeLease(to, { purpose: 'copy', backups: [ids[1]!], isExclusive: true })
	await expect(copy(world, ids[1]!, to)).rejects.toMatchObject({ code: 'LEASED' })
	await expect(copy(world, '20200101T000000Z-aaaa', to)).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
})

let places = 0
function placed(storage: Storage): Storage {
	const location = `memory ${++places}`
	return new Proxy(storage, { get: (target, name) => (name === 'location' ? location : target[name as keyof Storage]) })
}
