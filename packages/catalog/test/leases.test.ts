import { spawnSync } from 'node:child_process'

import { openMemory } from '@ydbackup/storage'
import { expect, test, vi } from 'vitest'

import { listLeases, takeLease, takeLeaseIfAllowed, thisOwner } from '../src/index.ts'
import { encodeLease } from '../src/leases/lease-record.ts'
import { changed, denied, errorOf, keysOf } from './stores.ts'

const ID = '20261123T021530Z-k3f9'
const MINUTE = 60_000

/** A store whose clock can be set. */
class Clocked {
	at = Date.UTC(2026, 10, 23)
	readonly storage = openMemory({ now: () => new Date(this.at) })
}

/** A lease of a process of which nothing is known. */
async function leaseOfAnother(storage: ReturnType<typeof openMemory>, at: string, ttlMs = 10 * MINUTE): Promise<void> {
	const bytes = encodeLease({
		purpose: 'restore',
		backups: [ID],
		owner: { host: 'another', pid: 7 },
		at,
		ttlMs,
	})
	await storage.put('leases/abc/000000.json', bytes)
}

test('a lease is seen by others, renewed under new names, and gone when it is released', async () => {
	const storage = openMemory()
	const lease = await takeLease(storage, { purpose: 'backup', backups: [ID], ttlMs: 1000, renewEveryMs: 10 })
	expect(await listLeases(storage)).toMatchObject([
		{ token: lease.token, isLive: true, record: { purpose: 'backup', backups: [ID], owner: thisOwner() } },
	])
	const puts: string[] = []
	await vi.waitFor(async () => {
		const [key] = await keysOf(storage)
		if (key !== undefined && !puts.includes(key)) puts.push(key)
		expect(puts.length).toBeGreaterThan(2)
	})
	lease.assertHeld()
	await lease.release()
	await lease.release()
	expect(await keysOf(storage)).toEqual([])
})

test('the time of a lease is that of the store, whatever the clocks of those who look say', async () => {
	for (const skew of [0, -10 * MINUTE, 10 * MINUTE, -24 * 60 * MINUTE, 24 * 60 * MINUTE]) {
		const world = new Clocked()
		const { storage } = world
		const clock = (): Date => new Date(world.at + skew)
		await leaseOfAnother(storage, clock().toISOString())
		world.at += 9 * MINUTE
		await using own = await takeLease(storage, { purpose: 'delete', backups: [], clock })
		expect(await own.others(), `skew ${skew}, 9 minutes`).toHaveLength(1)
		await own.release()
		world.at += 2 * MINUTE
		await using late = await takeLease(storage, { purpose: 'delete', backups: [], clock })
		expect(await late.others(), `skew ${skew}, 11 minutes`).toHaveLength(0)
	}
})

test('where a store tells no times, clocks may lie a quarter of an hour apart', async () => {
	const world = new Clocked()
	const storage = changed(world.storage, {
		async *list(prefix, options) {
			for await (const { key, size } of world.storage.list(prefix, options)) yield { key, size }
		},
	})
	await leaseOfAnother(world.storage, new Date(world.at).toISOString())
	const isLive = async (): Promise<boolean> =>
		(await listLeases(storage, { clock: () => new Date(world.at) }))[0]!.isLive
	world.at += 24 * MINUTE
	expect(await isLive()).toBe(true)
	world.at += 2 * MINUTE
	expect(await isLive()).toBe(false)
})

test('the lease of a process that has died on this machine is over at once', async () => {
	const storage = openMemory()
	const { pid } = spawnSync(process.execPath, ['-e', ''])
	const owner = { ...thisOwner(), pid }
	const put = (of: typeof owner): Promise<unknown> =>
		storage.put(
			'leases/abc/000000.json',
			encodeLease({ purpose: 'backup', backups: [ID], owner: of, at: new Date().toISOString(), ttlMs: MINUTE }),
		)
	await put(owner)
	expect((await listLeases(storage))[0]?.isLive).toBe(owner.scope === undefined)
	// Numbers of processes say nothing in another container or after another boot.
	await put({ ...owner, scope: 'another boot' })
	expect((await listLeases(storage))[0]?.isLive).toBe(true)
	await put({ ...owner, host: 'another' })
	expect((await listLeases(storage))[0]?.isLive).toBe(true)
})

test('an exclusive lease is refused while somebody else has one of its backups, and leaves nothing', async () => {
	const world = new Clocked()
	const { storage } = world
	const clock = (): Date => new Date(world.at)
	await leaseOfAnother(storage, clock().toISOString())
	const ask = (backups: string[]): ReturnType<typeof takeLease> =>
		takeLease(storage, { purpose: 'delete', backups, isExclusive: true, clock })
	const error = await errorOf(ask([ID]))
	expect(error).toMatchObject({ code: 'LEASED', retry: 'later' })
	expect(error.message).toContain('restore by process 7 of another, until 2026-11-23T00:10:00.000Z')
	expect(await keysOf(storage)).toEqual(['leases/abc/000000.json'])
	await (await ask(['20261123T021530Z-zzzz'])).release()
	world.at += 11 * MINUTE
	await (await ask([ID])).release()
})

test('of two who ask at once at most one gets it', async () => {
	for (let round = 0; round < 20; round++) {
		const storage = openMemory()
		const ask = (): Promise<string> =>
			takeLease(storage, { purpose: 'delete', backups: [ID], isExclusive: true }).then(
				() => 'held',
				({ code }: { code: string }) => code,
			)
		const both = await Promise.all([ask(), ask()])
		expect(both.filter((one) => one === 'held').length).toBeLessThanOrEqual(1)
	}
})

test('an owner that cannot renew its lease in time knows that it is lost', async () => {
	let isAway = false
	const memory = openMemory()
	const storage = changed(memory, {
		put: async (key, body, options) => {
			if (isAway) throw denied()
			return memory.put(key, body, options)
		},
	})
	const lease = await takeLease(storage, { purpose: 'delete', backups: [ID], ttlMs: 60, renewEveryMs: 10 })
	lease.assertHeld()
	isAway = true
	await vi.waitFor(() => expect(() => lease.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_LOST' })))
	isAway = false
	await vi.waitFor(() => lease.assertHeld())
	await lease.release()
})

test('a lease that cannot be read counts, and ends', async () => {
	const world = new Clocked()
	const { storage } = world
	await storage.put('leases/abc/000000.json', Buffer.from('{'))
	await storage.put('leases/README', Buffer.from('not ours'))
	const clock = (): Date => new Date(world.at)
	expect(await listLeases(storage, { clock })).toMatchObject([{ record: undefined, isLive: true }])
	world.at += 11 * MINUTE
	expect(await listLeases(storage, { clock })).toMatchObject([{ isLive: false }])
})

test('without rights to write there is no lease, and the reader is told', async () => {
	const storage = changed(openMemory(), { put: () => Promise.reject(denied()) })
	const said: string[] = []
	const options = { purpose: 'restore', backups: [ID] } as const
	expect(await takeLeaseIfAllowed(storage, options, (reason) => said.push(reason))).toBeUndefined()
	expect(said).toEqual([expect.stringContaining('nobody prunes or deletes 20261123T021530Z-k3f9')])
	await expect(takeLease(storage, options)).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' })
})

test('rights to put alone are enough for a lease', async () => {
	const memory = openMemory()
	const storage = changed(memory, {
		delete: () => Promise.reject(denied()),
		get: () => Promise.reject(denied()),
		capabilities: { ...memory.capabilities, conditionalCreate: { lacking: 'no' } },
	})
	const lease = await takeLease(storage, { purpose: 'backup', backups: [ID], ttlMs: 1000, renewEveryMs: 5 })
	await vi.waitFor(async () => expect((await keysOf(memory)).length).toBeGreaterThan(1))
	await lease.release()
	expect(await listLeases(memory)).toMatchObject([{ record: { backups: [ID] } }])
})
