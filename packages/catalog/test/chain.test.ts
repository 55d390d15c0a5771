import { encodeManifest, type Manifest } from '@ydbackup/format'
import { openMemory } from '@ydbackup/storage'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { chainPlaces, readChain, type Repository } from '../src/index.ts'
import { errorOf, manifestOf, newRepository } from './stores.ts'

const idOf = (at: number): string =>
	`20261123T${String(Math.floor(at / 60)).padStart(4, '0')}${String(at % 60).padStart(2, '0')}Z-aaaa`

async function link(
	repository: Repository,
	at: number,
	parent?: Manifest,
	change: Partial<Manifest> = {},
): Promise<Manifest> {
	const upon: Partial<Manifest> =
		parent === undefined ? {} : { kind: 'incremental', parent: { id: parent.id, manifestSha256: parent.sha256 } }
	return repository.commit(manifestOf(repository, idOf(at), { ...upon, ...change }))
}

async function chainOf(links: number): Promise<{ repository: Repository; manifests: Manifest[] }> {
	const repository = await newRepository(openMemory())
	const manifests = [await link(repository, 0)]
	for (let at = 1; at < links; at++) manifests.push(await link(repository, at, manifests.at(-1)))
	return { repository, manifests }
}

test('a chain is read from its full backup to the link that was asked for', async () => {
	const { repository, manifests } = await chainOf(48)
	const ids = manifests.map(({ id }) => id)
	expect((await readChain(repository, ids[47]!)).map(({ id }) => id)).toEqual(ids)
	expect((await readChain(repository, ids[20]!)).map(({ id }) => id)).toEqual(ids.slice(0, 21))
	expect((await readChain(repository, ids[0]!)).map(({ id }) => id)).toEqual(ids.slice(0, 1))
	expect((await readChain(repository, 'latest')).at(-1)?.id).toBe(ids[47])
})

test('a link whose parent is gone, damaged or another one is a broken chain, and the error says which', async () => {
	const { repository, manifests } = await chainOf(4)
	const { storage } = repository
	const key = `catalog/${manifests[1]!.id}/manifest.json`
	const wanted = manifests[3]!.id
	const broken = async (reason: string, what: string): Promise<void> => {
		const error = await errorOf(readChain(repository, wanted))
		expect({ code: error.code, reason: error.reason }).toEqual({ code: 'CHAIN_BROKEN', reason })
		expect(error.message).toContain(manifests[2]!.id)
		expect(error.message).toContain(manifests[1]!.id)
		expect(error.message).toContain(what)
	}
	await storage.put(key, encodeManifest({ ...manifests[1]!, labels: { changed: 'yes' } }))
	await broken('parent-damaged', 'hash')
	await storage.put(key, Buffer.from('{}'))
	await broken('parent-damaged', 'cannot be read')
	await storage.delete(key)
	await broken('gap', 'not in the repository')
	expect((await readChain(repository, manifests[0]!.id)).length).toBe(1)
})

test('a parent that is younger, or of another database, is refused', async () => {
	const repository = await newRepository(openMemory())
	const full = await link(repository, 5)
	await link(repository, 3, full)
	expect((await errorOf(readChain(repository, idOf(3)))).message).toContain('not older')
	await link(repository, 6, full, { source: { database: '/other' } })
	expect((await errorOf(readChain(repository, idOf(6)))).message).toContain('/other')
})

test('a store that fails is no broken chain', async () => {
	const { repository, manifests } = await chainOf(2)
	const get = repository.storage.get.bind(repository.storage)
	repository.storage.get = (key, options) =>
		key.includes(manifests[0]!.id) ? Promise.reject(new Error('no network')) : get(key, options)
	await expect(readChain(repository, manifests[1]!.id)).rejects.toThrow('no network')
})

test('places: every backup finds its root and its children, and a missing link is a root that is not known', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.option(fc.nat(30), { nil: undefined }), { minLength: 1, maxLength: 30 }),
			fc.nat(40),
			async (parents, missing) => {
				const manifests = parents.map((parent, at) => {
					const upon = parent === undefined || at === 0 ? undefined : parent % at
					return { at, upon, id: idOf(at) }
				})
				const entries = manifests
					.filter(({ at }) => at !== missing)
					.map(({ id, upon }) => ({
						id,
						manifest: {
							id,
							parent: upon === undefined ? undefined : { id: idOf(upon), manifestSha256: '' },
						} as Manifest,
					}))
				/** By the definition, one step at a time. */
				const expected = (at: number): [root: string | undefined, position: number | undefined] => {
					if (at === missing) return [undefined, undefined]
					const { upon, id } = manifests[at]!
					if (upon === undefined) return [id, 0]
					const [root, position] = expected(upon)
					return [root, position === undefined ? undefined : position + 1]
				}
				for (const place of chainPlaces(entries)) {
					const { at } = manifests.find(({ id }) => id === place.id)!
					expect([place.root, place.position]).toEqual(expected(at))
					expect(place.children).toEqual(
						manifests.filter((each) => each.upon === at && each.at !== missing).map(({ id }) => id),
					)
				}
			},
		),
	)
})

test('a circle, which only a forger makes, ends', () => {
	const entry = (id: string, parent: string) => ({
		id,
		manifest: { id, parent: { id: parent, manifestSha256: '' } } as Manifest,
	})
	const places = chainPlaces([entry('a', 'b'), entry('b', 'a'), entry('c', 'a')])
	expect(places.map(({ root }) => root)).toEqual([undefined, undefined, undefined])
})
