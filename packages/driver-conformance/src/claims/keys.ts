import type { Storage } from '@ydbackup/core'
import { content, keysOf, read } from '../bytes.ts'
import { type Claim, claimsOf } from '../claim.ts'
import { demand, refused, sameBytes, sameKeys } from '../expect.ts'
import { isThere } from '../presence.ts'

/** Puts an object for each key, then reads each: two keys that a store takes for one show the bytes of the other. */
async function distinct(store: Storage, keys: readonly string[]): Promise<void> {
	for (const key of keys) await store.put(key, content(key, 50))
	for (const key of keys) sameBytes(await read(store, key, 50), content(key, 50), `the object ${key}`)
	sameKeys(await keysOf(store), keys, 'the listing')
}

/** Every call with what is no key must fail before it reaches the store. */
async function refuses(store: Storage, keys: readonly string[], isHarmless: boolean): Promise<void> {
	for (const key of keys) {
		const shown = JSON.stringify(key.slice(0, 60))
		if (isHarmless) await refused(store.put(key, content(key, 10)), `put of ${shown}`, 'STORAGE_PERMANENT')
		await refused(store.get(key), `get of ${shown}`, 'STORAGE_PERMANENT')
		await refused(store.stat(key), `stat of ${shown}`, 'STORAGE_PERMANENT')
		if (isHarmless) await refused(store.delete(key), `delete of ${shown}`, 'STORAGE_PERMANENT')
	}
}

export const keyClaims: readonly Claim[] = claimsOf('keys', {
	case: {
		title: 'keys that differ in case are different keys',
		check: ({ store }) => distinct(store, ['case', 'CASE', 'Case', 'dir/x', 'Dir/x']),
	},
	characters: {
		title: 'every character of the contract stands in keys as it is',
		check: ({ store }) =>
			distinct(store, [
				'.hidden',
				'-',
				'--x',
				'_',
				'=',
				'...',
				'a..b',
				'k=v/k=w',
				'x.y.z/.w',
				'0',
				'00',
				'abcdefghijklmnopqrstuvwxyz0123456789',
			]),
	},
	longest: {
		title: 'keys of 512 bytes are kept whole',
		async check({ store, prefix }) {
			const room = 512 - prefix.length
			const filler = 'long-segment-of-a-key/'.repeat(30).slice(0, room - 9)
			await distinct(
				store,
				[`${filler}/longest1`, `${filler}/longest2`].map((key) => key.replace('//', '/x')),
			)
		},
	},
	'no-percent': {
		title: 'a percent sign is refused, not decoded',
		check: ({ store }) => refuses(store, ['a%41', 'a%2Fb', '100%'], true),
	},
	'no-unicode': {
		title: 'letters outside of ASCII are refused, not normalised',
		check: ({ store }) => refuses(store, ['caf\u00E9', 'cafe\u0301', '\u{1F4BE}'], true),
	},
	'no-query': {
		title: 'characters with a meaning in URLs and shells are refused',
		check: ({ store }) =>
			refuses(store, ['a?q=1', 'a#b', 'a b', 'a+b', 'a&b', 'a:b', 'a*', 'a\\b', 'a\nb', 'a\0b'], true),
	},
	'no-path': {
		title: 'empty, . and .. segments are refused, and so are longer keys',
		async check({ store, prefix }) {
			await refuses(store, ['a//b', 'a/./b', 'a/../b', 'a/', 'x'.repeat(513 - prefix.length)], true)
			await refuses(store, ['', '/a', '.', '..', '../a'], false)
			demand(!(await isThere(store, 'b')), 'an object that nobody put is there')
		},
	},
})
