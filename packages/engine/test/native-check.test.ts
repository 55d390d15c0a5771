import { randomBytes } from 'node:crypto'

import type { KeyProvider } from '@ydbackup/core'
import { expect, test } from 'vitest'

import { type BackupOptions, verifyNative } from '../src/index.ts'
import { keyOf, rowFrame, rowsUpTo, schemeOf } from './row-bytes.ts'
import { createWorld, type World } from './world.ts'

const keyed = (size: number): KeyProvider => {
	const bytes = randomBytes(size)
	return { name: 'a test', getKey: async () => Uint8Array.from(bytes) }
}
const check = (world: World, keys: readonly KeyProvider[] = [], level: 'quick' | 'full' = 'full') =>
	verifyNative({ repository: world.repository, id: 'latest', level, keys })

test.for(['none', 'zstd-1', 'aes-128-gcm', 'aes-256-gcm', 'chacha20-poly1305'])(
	'a backup by %s is an export that YDB is documented to import',
	async (how) => {
		const world = await createWorld()
		world.database.addTable('large', schemeOf({ splits: [10_000] }), rowsUpTo(30_000))
		const isEncrypted = how.includes('-') && how !== 'zstd-1'
		const key = keyed(how === 'aes-128-gcm' ? 16 : 32)
		const options: Partial<BackupOptions> = isEncrypted
			? { encryption: { keys: [key], algorithm: how }, compression: how === 'aes-256-gcm' ? 'none' : 'zstd-1' }
			: { compression: how }
		await world.backup(options)
		expect(await check(world, [key])).toMatchObject({ ok: true, findings: [], objects: 4, rows: 30_420 })
		expect(await check(world, [key], 'quick')).toMatchObject({ ok: true, findings: [], rows: 0 })
		if (isEncrypted) await expect(check(world)).rejects.toMatchObject({ code: 'KEY_REQUIRED' })
	},
)

test('an increment is one too', async () => {
	const world = await createWorld()
	await world.backup({ clock: () => new Date('2026-11-23T02:15:00Z') })
	world.database.putRows('plain', [rowFrame([1, 'new', 1])])
	world.database.deleteRow('plain', keyOf(1001))
	await world.backup({ parent: 'latest', clock: () => new Date('2026-11-23T02:15:01Z') })
	expect(await check(world)).toMatchObject({ ok: true, findings: [], objects: 3, rows: 2 })
})

test('what stands in the wrong place, is gone or was added is a finding', async () => {
	const world = await createWorld()
	const key = keyed(32)
	const { id } = await world.backup({ encryption: { keys: [key] } })
	const root = `backups/${id}`
	const [one, two] = [
		await world.bytes(`${root}/001/data_00.csv.zst.enc`),
		await world.bytes(`${root}/001/data_01.csv.zst.enc`),
	]
	await world.storage.put(`${root}/001/data_00.csv.zst.enc`, two)
	await world.storage.put(`${root}/001/data_01.csv.zst.enc`, one)
	await world.storage.delete(`${root}/003/permissions.pb.enc`)
	await world.storage.put(`${root}/notes.txt`, Buffer.from('mine'))
	const { findings } = await check(world, [key])
	const found = findings.map(
		({ key: name, message }) => `${name.slice(root.length + 1)}: ${message.slice(message.indexOf(' ') + 1)}`,
	)
	expect(found.toSorted()).toEqual([
		expect.stringMatching(/^001\/data_00.*has the IV/u),
		expect.stringMatching(/^001\/data_01.*has the IV/u),
		expect.stringMatching(/^003\/permissions\.pb\.sha256: belongs to nothing/u),
		expect.stringMatching(/^003\/permissions\.pb: is not there/u),
		expect.stringMatching(/^notes\.txt: belongs to nothing/u),
	])
})
