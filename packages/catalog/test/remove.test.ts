import { BackupError, type Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import { assert, asyncProperty, boolean, infiniteStream, nat } from 'fast-check'
import { expect, test } from 'vitest'

import {
	assertNotDeleted,
	findNeeds,
	listHolds,
	listTombstones,
	putHold,
	putTombstone,
	removeBackups,
	removeObjects,
	Repository,
	takeLease,
} from '../src/index.ts'
import { changed, denied, errorOf, keysOf, manifestOf, newRepository, noting } from './stores.ts'

const IDS = ['20261121T000000Z-aaaa', '20261122T000000Z-bbbb', '20261123T000000Z-cccc'] as const
const QUICK = { settleMs: 0 }

async function addBackup(repository: Repository, id: string, parent?: string): Promise<void> {
	for (const name of ['metadata.json', 'SchemaMapping/mapping.json', '001/data_00.csv', '001/scheme.pb']) {
		await repository.storage.put(`backups/${id}/${name}`, Buffer.from(name))
	}
	await repository.storage.put(`catalog/${id}/objects.json`, Buffer.from('{}'))
	const of = parent === undefined ? undefined : (await repository.read(parent)).manifest
	await repository.commit(
		manifestOf(repository, id, of && { kind: 'incremental', parent: { id: of.id, manifestSha256: of.sha256 } }),
	)
}

/** A full backup and two increments. */
async function chain(storage: Storage = openMemory()): Promise<Repository> {
	const repository = await newRepository(storage)
	await addBackup(repository, IDS[0])
	await addBackup(repository, IDS[1], IDS[0])
	await addBackup(repository, IDS[2], IDS[1])
	return repository
}

const states = (results: readonly { id: string; state: string }[]): Record<string, string> =>
	Object.fromEntries(results.map(({ id, state }) => [id, state]))

test('a deleted backup leaves nothing', async () => {
	const repository = await chain()
	expect(await removeBackups(repository, [IDS[2]], QUICK)).toMatchObject([{ state: 'deleted', objects: 6 }])
	expect(await repository.ids()).toEqual([IDS[0], IDS[1]])
	expect((await keysOf(repository.storage)).filter((key) => key.includes(IDS[2]))).toEqual([])
	expect(states(await removeBackups(repository, [IDS[0], IDS[1]], QUICK))).toEqual({
		[IDS[0]]: 'deleted',
		[IDS[1]]: 'deleted',
	})
	expect(await keysOf(repository.storage)).toEqual(['ydbackup.json'])
})

test('what others build upon stays, named with the reason, and nothing of it is touched', async () => {
	const repository = await chain()
	const before = await keysOf(repository.storage)
	const results = await removeBackups(repository, [IDS[0], IDS[1]], QUICK)
	expect(results).toMatchObject([
		{ id: IDS[1], state: 'kept', reason: `${IDS[2]} builds upon it` },
		{ id: IDS[0], state: 'kept', reason: expect.stringContaining(`${IDS[1]} builds upon it and stays`) },
	])
	expect(await keysOf(repository.storage)).toEqual(before)
})

test('what is held, restored or written now stays, and so does what it builds upon; a hold that is over does not count', async () => {
	const repository = await chain()
	const { storage } = repository
	await putHold(storage, IDS[2], { until: new Date('2020-01-01T00:00:00Z') }, new Date())
	const hold = await putHold(storage, IDS[1], {}, new Date())
	expect(await removeBackups(repository, IDS, QUICK)).toMatchObject([
		{ id: IDS[2], state: 'deleted' },
		{ id: IDS[1], state: 'kept', reason: 'it is held' },
		{ id: IDS[0], state: 'kept' },
	])
	await storage.delete(hold.key)
	const lease = await takeLease(storage, { purpose: 'restore', backups: [IDS[0]] })
	await expect(removeBackups(repository, [IDS[1], IDS[0]], QUICK)).rejects.toMatchObject({ code: 'LEASED' })
	expect((await findNeeds(repository, new Set([IDS[0]]))).get(IDS[0])).toMatchObject([
		{ kind: 'lease', reason: expect.stringMatching(/^it is in use: restore by process \d+ of .*, until /u) },
		{ kind: 'child', reason: `${IDS[1]} builds upon it` },
	])
	await lease.release()
	expect(await listTombstones(storage)).toEqual(new Set())
	expect(states(await removeBackups(repository, [IDS[1], IDS[0]], QUICK))).toEqual({
		[IDS[0]]: 'deleted',
		[IDS[1]]: 'deleted',
	})
})

test('a hold that nobody can read holds', async () => {
	const repository = await chain()
	await repository.storage.put(`holds/${IDS[2]}/x.json`, Buffer.from('?'))
	expect((await listHolds(repository.storage)).get(IDS[2])).toMatchObject([{ until: undefined }])
	expect(await removeBackups(repository, [IDS[2]], QUICK)).toMatchObject([{ state: 'kept', reason: 'it is held' }])
})

test('objects go in the order in which no moment shows a part as a whole', async () => {
	const memory = openMemory()
	await chain(memory)
	const { storage, calls } = noting(memory)
	await removeBackups(await Repository.open(storage), [IDS[2]], QUICK)
	const order = calls
		.filter((call) => /^(?:put tombstones|delete (?!leases))/u.test(call))
		.map((call) => call.replaceAll(IDS[2], 'ID'))
	expect(order).toEqual([
		'put tombstones/ID.json',
		'delete backups/ID/SchemaMapping/mapping.json',
		'delete backups/ID/metadata.json',
		'delete catalog/ID/manifest.json',
		'delete backups/ID/001/data_00.csv',
		'delete backups/ID/001/scheme.pb',
		'delete catalog/ID/objects.json',
		'delete tombstones/ID.json',
	])
})

test('killed between any two calls: what is listed is whole, and a second time finishes it', async () => {
	for (let calls = 0; ; calls++) {
		const memory = openMemory()
		const repository = await chain(memory)
		let left = calls
		const mortal = <T>(work: () => T): T => {
			if (left-- <= 0) throw new BackupError('STORAGE_PERMANENT', 'the process is dead')
			return work()
		}
		const dying = changed(memory, {
			put: async (...args) => mortal(() => memory.put(...args)),
			delete: async (...args) => mortal(() => memory.delete(...args)),
		})
		const isDone = await removeBackups(await Repository.open(dying), [IDS[2], IDS[1]], { ...QUICK }).then(
			() => true,
			() => false,
		)
		const keys = await keysOf(memory)
		for (const id of await repository.ids()) {
			expect(
				keys.filter((key) => key.includes(id) && !key.startsWith('leases/')),
				`${id} after ${calls}`,
			).toHaveLength(6)
		}
		for (const key of keys.filter((one) => one.startsWith('leases/'))) await memory.delete(key)
		const rest = [IDS[2], IDS[1]].filter((id) => keys.some((key) => key.includes(id)))
		if (rest.length > 0) await removeBackups(repository, rest, QUICK)
		expect(await repository.ids()).toEqual([IDS[0]])
		expect((await keysOf(memory)).filter((key) => !key.includes(IDS[0]))).toEqual(['ydbackup.json'])
		if (isDone) break
	}
})

test('what the store holds is not deleted: a backup that is whole is listed again, another one is not', async () => {
	const memory = openMemory()
	const repository = await chain(memory)
	for await (const { key } of memory.list(`backups/${IDS[2]}/`)) {
		await memory.extendRetention!(key, new Date(Date.now() + 60_000))
	}
	expect(await removeBackups(repository, [IDS[2]], QUICK)).toMatchObject([
		{ state: 'kept', reason: expect.stringContaining('they are held there') },
	])
	expect(await repository.ids()).toEqual([...IDS])

	const other = await chain()
	await other.storage.extendRetention!(`backups/${IDS[2]}/001/data_00.csv`, new Date(Date.now() + 60_000))
	expect(await removeBackups(other, [IDS[2]], QUICK)).toMatchObject([{ state: 'partial', objects: 5 }])
	expect(await other.ids()).toEqual([IDS[0], IDS[1]])
	expect(await listTombstones(other.storage)).toEqual(new Set([IDS[2]]))
})

test('a store that shows things late is refused, and so is one that does not let us write', async () => {
	const repository = await chain()
	const late = changed(repository.storage, {
		capabilities: { ...repository.storage.capabilities, strongList: { lacking: 'listings lag behind' } },
	})
	const error = await errorOf(removeBackups(await Repository.open(late), [IDS[2]], QUICK))
	expect(error).toMatchObject({ code: 'STORAGE_UNSUPPORTED' })
	expect(error.message).toContain('listings lag behind')
	const readOnly = changed(repository.storage, { put: () => Promise.reject(denied()) })
	await expect(removeBackups(await Repository.open(readOnly), [IDS[2]], QUICK)).rejects.toMatchObject({
		code: 'STORAGE_PERMISSION',
	})
	expect(await repository.ids()).toEqual([...IDS])
})

test('an owner that lost its lease deletes nothing more', async () => {
	const memory = openMemory()
	await chain(memory)
	let deletes = 0
	const slow = changed(memory, {
		async put(key, ...rest) {
			if (key.startsWith('leases/') && deletes >= 0 && key.endsWith('/000001.json')) throw denied()
			return memory.put(key, ...rest)
		},
		async delete(key, ...rest) {
			if (!key.startsWith('leases/') && !key.startsWith('tombstones/')) deletes++
			return memory.delete(key, ...rest)
		},
	})
	await expect(
		removeBackups(await Repository.open(slow), [IDS[2]], { settleMs: 60, leaseTtlMs: 50 }),
	).rejects.toMatchObject({ code: 'LEASE_LOST' })
	expect(deletes).toBe(0)
	expect(await (await Repository.open(memory)).ids()).toEqual([...IDS])
})

/** What an increment does about those it builds upon, as the engine does it. */
async function makeChild(
	repository: Repository,
	id: string,
	ancestors: readonly string[],
	hasLease: boolean,
): Promise<boolean> {
	const { storage } = repository
	// Without one it is as if its time was over: the tombstones alone must do.
	const lease = hasLease ? await takeLease(storage, { purpose: 'backup', backups: [id, ...ancestors] }) : undefined
	try {
		await assertNotDeleted(storage, ancestors)
		const parent = (await repository.read(ancestors[0]!)).manifest
		const manifest = manifestOf(repository, id, {
			kind: 'incremental',
			parent: { id: parent.id, manifestSha256: parent.sha256 },
		})
		try {
			await repository.commit(manifest, { ancestors })
		} catch (error) {
			await putTombstone(storage, id, new Date())
			await removeObjects(storage, id)
			throw error
		}
		return true
	} catch {
		return false
	} finally {
		await lease?.release()
	}
}

/** Lets one of several go on at each step, as `turns` says; who has ended is passed over. */
class Turns {
	readonly #waiting = new Map<string, (() => void)[]>()
	readonly #running = new Set<string>()

	store(memory: Storage, who: string): Storage {
		const turn = async (): Promise<void> =>
			new Promise((resolve) => void this.#waiting.set(who, [...(this.#waiting.get(who) ?? []), resolve]))
		return changed(memory, {
			put: async (...args) => (await turn(), memory.put(...args)),
			get: async (...args) => (await turn(), memory.get(...args)),
			delete: async (...args) => (await turn(), memory.delete(...args)),
			stat: async (...args) => (await turn(), memory.stat(...args)),
			async *list(...args) {
				await turn()
				yield* memory.list(...args)
			},
		})
	}

	async run<T>(
		work: Readonly<Record<string, () => Promise<T>>>,
		next: (ready: readonly string[]) => string,
	): Promise<T[]> {
		const all = Object.entries(work).map(async ([who, begin]) => {
			this.#running.add(who)
			return begin().finally(() => this.#running.delete(who))
		})
		while (this.#running.size > 0) {
			await new Promise((resolve) => void setImmediate(resolve))
			// Whoever neither waits for a turn nor has ended is in a pause of its own.
			if (this.#waiting.size === 0 || this.#waiting.size < this.#running.size) continue
			const who = next([...this.#waiting.keys()])
			const [go, ...rest] = this.#waiting.get(who)!
			if (rest.length > 0) this.#waiting.set(who, rest)
			else this.#waiting.delete(who)
			go!()
		}
		return Promise.all(all)
	}
}

interface Race {
	readonly isMade: boolean
	readonly isPruned: boolean
}

/** A prune of a chain, a new child of it, and, if asked, somebody who holds its last link, in the order that `next` gives. */
async function race(
	{ isHeld, hasLease }: { readonly isHeld: boolean; readonly hasLease: boolean },
	next: (ready: readonly string[]) => string,
): Promise<Race> {
	const memory = openMemory()
	const whole = await newRepository(memory)
	await addBackup(whole, IDS[0])
	await addBackup(whole, IDS[1], IDS[0])
	const turns = new Turns()
	const open = async (who: string): Promise<Repository> => Repository.open(turns.store(memory, who))
	const [deleted, isMade, isKept] = await turns.run<number | boolean>(
		{
			prune: async () => {
				const results = await removeBackups(await open('prune'), [IDS[0], IDS[1]], QUICK).catch(() => [])
				return results.filter(({ state }) => state === 'deleted').length
			},
			child: async () => makeChild(await open('child'), IDS[2], [IDS[1], IDS[0]], hasLease),
			...(isHeld ? { hold: async () => holdIt(turns.store(memory, 'hold'), IDS[1]) } : {}),
		},
		next,
	)
	const listed = await whole.ids()
	expect(listed.includes(IDS[2])).toBe(isMade)
	if (isMade === true || isKept === true) expect(listed).toEqual(expect.arrayContaining([IDS[0], IDS[1]]))
	if (listed.includes(IDS[1])) expect(listed).toContain(IDS[0])
	expect(await listTombstones(memory)).toEqual(new Set())
	return { isMade: isMade === true, isPruned: deleted === 2 }
}

test('wherever one of a prune and a new child stops for the other: nothing is listed that lacks what it builds upon', async () => {
	const ends = { made: 0, pruned: 0 }
	for (const hasLease of [true, false]) {
		for (const first of ['child', 'prune']) {
			for (let steps = 0, isReached = true; isReached; steps++) {
				for (let others = 0, isOtherReached = true; isOtherReached && others < 40; others++) {
					let left = steps
					let right = others
					isReached = false
					isOtherReached = false
					const { isMade, isPruned } = await race({ isHeld: false, hasLease }, (ready) => {
						const second = ready.find((who) => who !== first)
						if (left > 0 && ready.includes(first)) {
							left--
							return first
						}
						isReached ||= left === 0 && ready.includes(first)
						if (right > 0 && second !== undefined) {
							right--
							return second
						}
						isOtherReached ||= right === 0 && second !== undefined
						return ready.includes(first) ? first : ready[0]!
					})
					if (isMade) ends.made++
					if (isPruned) ends.pruned++
				}
			}
		}
	}
	// Both ends were seen, else nothing was tried.
	expect(ends.made).toBeGreaterThan(20)
	expect(ends.pruned).toBeGreaterThan(20)
})

test('in whatever order the steps of a prune, a new child and a hold fall, the same holds', async () => {
	await assert(
		asyncProperty(boolean(), infiniteStream(nat()), async (hasLease, numbers) => {
			await race({ isHeld: true, hasLease }, (ready) => ready[numbers.next().value % ready.length]!)
		}),
		{ numRuns: 150 },
	)
})

async function holdIt(storage: Storage, id: string): Promise<boolean> {
	const hold = await putHold(storage, id, {}, new Date())
	try {
		await assertNotDeleted(storage, [id])
		return true
	} catch {
		await storage.delete(hold.key)
		return false
	}
}
