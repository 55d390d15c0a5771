import type { Storage } from '@ydbackup/core'
import { content, inFlight, keysOf, listed } from '../bytes.ts'
import { type Claim, claimsOf, needs } from '../claim.ts'
import { demand, sameKeys } from '../expect.ts'

const ascending = (a: string, b: string): number => (a < b ? -1 : 1)

async function putAll(store: Storage, keys: readonly string[]): Promise<void> {
	for (const key of keys) await store.put(key, content(key, 10))
}

export const listClaims: readonly Claim[] = claimsOf('list', {
	complete: {
		title: 'a listing has every key, however many pages it takes',
		async check({ listing }) {
			const { store, keys } = await listing()
			for (const [prefix, expected] of keys)
				sameKeys(await keysOf(store, prefix), expected, `the listing of ${expected.length} keys`)
		},
	},
	once: {
		title: 'a listing has every key once',
		async check({ listing }) {
			const { store, keys } = await listing()
			for (const prefix of keys.keys()) {
				const seen = new Set<string>()
				for (const key of await keysOf(store, prefix)) {
					demand(!seen.has(key), `the listing has ${key} more than once`)
					seen.add(key)
				}
			}
		},
	},
	order: {
		title: 'keys come in ascending order of their bytes',
		skip: needs('orderedList'),
		async check({ store, listing }) {
			const tricky = ['m-x', 'm.x', 'm/x', 'm/y/z', 'm0', 'm=x', 'm_x', 'ma', 'mb/0']
			await putAll(store, tricky.toReversed())
			const { store: many, keys } = await listing()
			const lists = [await keysOf(store)]
			for (const prefix of keys.keys()) lists.push(await keysOf(many, prefix))
			for (const found of lists)
				for (const [index, key] of found.entries())
					demand(index === 0 || found[index - 1]! <= key, `${key} is listed after ${found[index - 1]}`)
		},
	},
	prefix: {
		title: 'a prefix is the beginning of keys, not a directory',
		async check({ store }) {
			const all = ['foo-/y', 'foo1', 'foobar/x', 'foobar/y/z', 'fox', 'other']
			await putAll(store, all)
			for (const prefix of ['fo', 'foo', 'foob', 'foobar', 'foobar/', 'foobar/y', 'foo1', 'nothing', 'foo1/', ''])
				sameKeys(
					await keysOf(store, prefix),
					all.filter((key) => key.startsWith(prefix)),
					`the listing of the prefix "${prefix}"`,
				)
		},
	},
	sizes: {
		title: 'a listing tells the sizes of objects',
		async check({ store }) {
			const sizes = [1, 10, 1000, 70_000]
			for (const size of sizes) await store.put(`s${size}`, content('list', size))
			for (const { key, size } of await listed(store))
				demand(key === `s${size}`, `the listing tells ${size} bytes of ${key}`)
		},
	},
	'start-after': {
		title: 'a listing can start after any key, one that is not there too',
		async check({ store }) {
			const all = ['a', 'b-x', 'b/x', 'b/y', 'b0', 'c', 'd/e/f', 'd/e/g']
			await putAll(store, all)
			for (const startAfter of [...all, '0', 'b', 'b.', 'b/', 'b/xx', 'd/e', 'z'].filter((key) => !key.endsWith('/')))
				for (const prefix of ['', 'b/', 'd/'])
					sameKeys(
						await keysOf(store, prefix, { startAfter }),
						all.filter((key) => key.startsWith(prefix) && key > startAfter),
						`the listing of "${prefix}" after ${startAfter}`,
					)
		},
	},
	resumed: {
		title: 'a listing that starts after a key on a later page is complete',
		async check({ listing }) {
			const { store, keys } = await listing()
			for (const [prefix, expected] of keys)
				for (const from of new Set([0, expected.length >> 1, expected.length - 2, expected.length - 1])) {
					const startAfter = expected[from]
					if (startAfter === undefined) continue
					sameKeys(
						await keysOf(store, prefix, { startAfter }),
						expected.slice(from + 1),
						`the listing of ${expected.length} keys after number ${from + 1}`,
					)
				}
		},
	},
	'during-writes': {
		title: 'a listing misses no key that stays, while others come and go',
		level: 'full',
		async check({ store, another }) {
			const other = await another()
			const staying = Array.from({ length: 200 }, (_, index) => `k${index}-stays`)
			await inFlight(8, staying, (key) => store.put(key, content(key, 10)))
			const over = new AbortController()
			const churn = (async () => {
				for (let index = 0; !over.signal.aborted && index < 100_000; index++) {
					const key = `k${index % 200}-goes`
					await other.put(key, content(key, 10))
					await other.delete(key)
					await new Promise(setImmediate)
				}
			})()
			try {
				for (let round = 0; round < 5; round++) {
					const found = (await keysOf(store)).filter((key) => key.endsWith('-stays'))
					sameKeys(found.toSorted(ascending), staying.toSorted(ascending), 'the listing during writes')
				}
			} finally {
				over.abort()
				await churn
			}
		},
	},
})
