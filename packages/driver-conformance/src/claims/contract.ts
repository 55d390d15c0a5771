import { content, keysOf, listed, pieces, read } from '../bytes.ts'
import { type Claim, claimsOf, needs } from '../claim.ts'
import { absent } from '../presence.ts'
import { demand, refused, sameBytes, sameKeys } from '../expect.ts'

const MIB = 2 ** 20

export const contractClaims: readonly Claim[] = claimsOf('contract', {
	capabilities: {
		title: 'the store has exactly the members that its capabilities promise, and sane limits',
		async check({ store }) {
			const { capabilities, location } = store
			for (const [name, has] of [
				['copy', capabilities.serverSideCopy],
				['extendRetention', capabilities.retention],
			] as const)
				demand(
					(typeof store[name] === 'function') === (has === true),
					`the store ${has === true ? 'lacks' : 'has'} the method ${name}, and its capabilities say otherwise`,
				)
			for (const name of ['maxObjectBytes', 'maxKeyBytes', 'maxConcurrency'] as const)
				demand(Number.isSafeInteger(capabilities[name]) && capabilities[name] >= 1, `${name} is ${capabilities[name]}`)
			demand(capabilities.maxKeyBytes >= 512, `maxKeyBytes is ${capabilities.maxKeyBytes}, and must be at least 512`)
			demand(location.length > 0, 'the location of the store is empty')
			for (const [name, has] of Object.entries(capabilities))
				demand(
					typeof has === 'number' || has === true || (typeof has.lacking === 'string' && has.lacking !== ''),
					`the capability ${name} says neither true nor why it is lacking`,
				)
		},
	},
	'round-trip': {
		title: 'what is put is what get, stat and list show',
		async check({ store }) {
			const bytes = content('round-trip', 1000)
			const put = await store.put('some/object', bytes)
			const got = await store.get('some/object')
			for await (const _ of got.bytes);
			const found = [put, got.info, await store.stat('some/object'), ...(await listed(store))]
			demand(found.length === 4, `the listing of one object has ${found.length - 3}`)
			for (const [index, info] of found.entries()) {
				const call = ['put', 'get', 'stat', 'list'][index]
				demand(info?.key === 'some/object', `${call} names the object ${info?.key}`)
				demand(
					info.modifiedAt === undefined || Number.isFinite(info.modifiedAt.getTime()),
					`${call} has a time that is none`,
				)
			}
			sameBytes(await read(store, 'some/object', 1000), bytes, 'the object')
		},
	},
	empty: {
		title: 'an object without bytes is an object',
		async check({ store }) {
			await store.put('bytes', new Uint8Array(0))
			await store.put('stream', pieces(new Uint8Array(0)))
			for (const key of ['bytes', 'stream']) {
				const info = await store.stat(key)
				demand(info?.size === 0, info ? `the empty object has the size ${info.size}` : 'the empty object is not there')
				sameBytes(await read(store, key, 0), new Uint8Array(0), 'the empty object')
			}
			sameKeys(await keysOf(store), ['bytes', 'stream'], 'the listing of empty objects')
			await refused(
				read(store, 'bytes', 0, { range: { offset: 0, length: 1 } }),
				'reading the first byte of an empty object',
				'STORAGE_PERMANENT',
			)
		},
	},
	sizes: {
		title: 'objects of odd sizes come back whole',
		async check({ store }) {
			for (const size of [1, 4095, 4096, 4097, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1]) {
				const bytes = content(`size ${size}`, size)
				await store.put(`s${size}`, bytes)
				sameBytes(await read(store, `s${size}`, size), bytes, `an object of ${size} bytes`)
			}
		},
	},
	large: {
		title: 'objects around the sizes of parts, put as streams of unknown size, come back whole',
		level: 'full',
		async check({ store, plan }) {
			const around = [5 * MIB, 8 * MIB, 16 * MIB].flatMap((size) => [size - 1, size, size + 1])
			for (const size of [...around.filter((size) => size < plan.largeBytes), plan.largeBytes]) {
				const bytes = content(`large ${size}`, size)
				await store.put(`large${size}`, pieces(bytes, 300_000))
				sameBytes(await read(store, `large${size}`, size), bytes, `an object of ${size} bytes`)
			}
		},
	},
	stream: {
		title: 'a stream is read once, to its end, in order',
		async check({ store }) {
			const bytes = content('stream', 5000)
			const parts = [0, 1, 1, 2, 1000, 1000, 4500, 5000].map((end, index, ends) =>
				bytes.subarray(ends[index - 1] ?? 0, end),
			)
			await store.put('stream', async function* () {
				for (const part of parts) yield Uint8Array.from(part)
			})
			sameBytes(await read(store, 'stream', 5000), bytes, 'the object put as a stream')
		},
	},
	reopened: {
		title: 'every put opens its body by itself',
		async check({ store }) {
			const bytes = content('reopened', 3000)
			const body = pieces(bytes, 1000)
			for (const key of ['first', 'second']) {
				await store.put(key, body)
				sameBytes(await read(store, key, 3000), bytes, `the ${key} object of one body`)
			}
		},
	},
	'bytes-are-copied': {
		title: 'bytes that were put or got belong to the caller: changing them changes no object',
		async check({ store }) {
			const bytes = content('copied', 1000)
			const mine = Uint8Array.from(bytes)
			await store.put('object', mine)
			mine.fill(0)
			sameBytes(await read(store, 'object', 1000), bytes, 'the object whose bytes were changed after the put')
			const { bytes: parts } = await store.get('object')
			for await (const part of parts) part.fill(0)
			sameBytes(await read(store, 'object', 1000), bytes, 'the object whose bytes were changed after a get')
		},
	},
	'stat-size': {
		title: 'stat, get and put tell the size of the object',
		async check({ store }) {
			for (const size of [3, 70_000]) {
				const put = await store.put('object', content('stat', size))
				const { info, bytes } = await store.get('object')
				for await (const _ of bytes);
				const sizes = { put: put.size, get: info.size, stat: (await store.stat('object'))?.size }
				for (const [call, told] of Object.entries(sizes))
					demand(told === size, `${call} tells ${told} bytes of an object that has ${size}`)
			}
		},
	},
	'stat-absent': {
		title: 'stat of a missing object is a value, not an error',
		async check({ store }) {
			const info = await store.stat('missing')
			demand(info === undefined, 'stat of a missing object says that it is there')
		},
	},
	'get-absent': {
		title: 'get of a missing object fails with STORAGE_NOT_FOUND',
		async check({ store }) {
			await refused(read(store, 'missing', 0), 'get of a missing object', 'STORAGE_NOT_FOUND')
		},
	},
	overwrite: {
		title: 'a second put replaces the object',
		async check({ store }) {
			await store.put('object', content('old', 2000))
			await store.put('object', content('new', 1000))
			sameBytes(await read(store, 'object', 2000), content('new', 1000), 'the replaced object')
			demand((await store.stat('object'))?.size === 1000, 'stat tells the old size of a replaced object')
		},
	},
	delete: {
		title: 'a deleted object is gone for get, stat and list, and can be put again',
		async check({ store }) {
			await store.put('object', content('delete', 100))
			await store.delete('object')
			await absent(store, 'object', 'after its delete')
			await store.put('object', content('again', 100))
			sameBytes(await read(store, 'object', 100), content('again', 100), 'the object put after a delete')
		},
	},
	'delete-absent': {
		title: 'delete of a missing object succeeds',
		async check({ store }) {
			await store.delete('missing')
		},
	},
	'delete-one': {
		title: 'delete removes one object and no other',
		async check({ store }) {
			const others = ['a-b', 'a0', 'aa', 'ab/c', 'b/a']
			for (const key of ['a', ...others]) await store.put(key, content(key, 10))
			await store.delete('a')
			// There is no b, only b/a. Whether its delete may fail is another claim.
			await store.delete('b').catch(() => undefined)
			for (const key of others)
				demand((await store.stat(key)) !== undefined, `the delete of a, or of b, removed ${key}`)
		},
	},
	copy: {
		title: 'copy makes an equal object',
		skip: needs('serverSideCopy'),
		async check({ store }) {
			const bytes = content('copy', 5000)
			await store.put('from', bytes)
			const info = await store.copy!('from', 'to')
			demand(info.key === 'to' && info.size === 5000, `copy tells of ${info.key} with ${info.size} bytes`)
			sameBytes(await read(store, 'to', 5000), bytes, 'the copy')
			await refused(store.copy!('missing', 'nothing'), 'copy of a missing object', 'STORAGE_NOT_FOUND')
			await absent(store, 'nothing', 'after the copy of a missing object')
		},
	},
})
