import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { all, bytesOf, failure, noise, pieces, PLACES } from './gcs-room.ts'

const MIB = 1 << 20

describe.each(PLACES)('gcs driver on %s', (_, open) => {
	test('what was put is there: empty, small, a chunk, a byte more, several chunks', async () => {
		await using place = await open()
		const { storage } = place
		for (const size of [0, 1, 70_000, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB + 7]) {
			const body = noise(size)
			const key = `size/${size}`
			const info = await storage.put(key, size % 2 ? body : pieces(body, 1_000_003), { size })
			expect(info).toMatchObject({ key, size })
			const read = await storage.get(key)
			expect(read.info).toMatchObject({ key, size })
			expect(body.equals(await bytesOf(read.bytes))).toBe(true)
			expect(await storage.stat(key)).toMatchObject({ key, size })
		}
	})

	test('of twenty writers who create one key, one wins, and its bytes stay', async () => {
		await using place = await open()
		const { storage } = place
		const bodies = Array.from({ length: 20 }, (_, at) => Buffer.from(`writer ${at}`))
		const ends = await Promise.allSettled(bodies.map((body) => storage.put('race', body, { ifAbsent: true })))
		const winners = bodies.filter((_, at) => ends[at]?.status === 'fulfilled')
		expect(winners).toHaveLength(1)
		for (const end of ends)
			if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'STORAGE_ALREADY_EXISTS', retry: 'no' })
		expect(await bytesOf((await storage.get('race')).bytes)).toEqual(winners[0])
	})

	test('a large create-only put meets an object that exists', async () => {
		await using place = await open()
		const { storage } = place
		await storage.put('there', Buffer.from('first'))
		const body = noise(9 * MIB)
		await expect(storage.put('there', pieces(body), { ifAbsent: true })).rejects.toMatchObject({
			code: 'STORAGE_ALREADY_EXISTS',
		})
		expect((await storage.stat('there'))?.size).toBe(5)
		await storage.put('there', pieces(body))
		expect((await storage.stat('there'))?.size).toBe(body.length)
	})

	test('1205 keys are listed in order, each once, with sizes, and from behind any key', async () => {
		await using place = await open()
		const { storage } = place
		const keys = Array.from({ length: 1205 }, (_, at) => `many/${String(at * 7919).padStart(8, '0')}`)
		const queue = [...keys, 'many-more', 'man', 'other/x']
		await Promise.all(
			Array.from({ length: 8 }, async () => {
				for (let key = queue.pop(); key !== undefined; key = queue.pop()) await storage.put(key, Buffer.from(key))
			}),
		)
		const sorted = [...keys].sort()
		const listed = await all(storage.list('many/'))
		expect(listed.map(({ key }) => key)).toEqual(sorted)
		expect(listed.every(({ key, size }) => size === key.length)).toBe(true)
		expect((await all(storage.list(''))).length).toBe(1208)
		const later = await all(storage.list('many/', { startAfter: sorted[1100] }))
		expect(later.map(({ key }) => key)).toEqual(sorted.slice(1101))
		const between = await all(storage.list('many', { startAfter: 'many-more' }))
		expect(between).toHaveLength(1205)
		expect(await all(storage.list('nothing'))).toEqual([])
	}, 60_000)

	test('ranges are exact, and those beyond the end are refused', async () => {
		await using place = await open()
		const { storage } = place
		const body = noise(100_000)
		await storage.put('r', body)
		const read = async (offset: number, length?: number): Promise<Buffer> =>
			bytesOf((await storage.get('r', { range: { offset, length } })).bytes)
		for (const [offset, length] of [
			[0, 1],
			[0, 100_000],
			[1, 99_999],
			[99_999, 1],
			[500, 0],
			[40_000, 12_345],
		] as const)
			expect(body.subarray(offset, offset + length).equals(await read(offset, length))).toBe(true)
		expect(body.subarray(77).equals(await read(77))).toBe(true)
		expect(body.equals(await read(0))).toBe(true)
		for (const [offset, length] of [
			[100_000, 1],
			[100_000, undefined],
			[99_999, 2],
			[100_000, 0],
			[0, 100_001],
			[2e6, 5],
		] as const)
			await expect(read(offset, length)).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
	})

	test('an absent object: a value for stat, an error for get, nothing for delete', async () => {
		await using place = await open()
		const { storage } = place
		expect(await storage.stat('absent')).toBeUndefined()
		await expect(storage.get('absent')).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
		await expect(storage.get('absent', { range: { offset: 0, length: 0 } })).rejects.toMatchObject({
			code: 'STORAGE_NOT_FOUND',
		})
		await storage.delete('absent')
		await storage.put('present', Buffer.from('x'))
		await storage.delete('present')
		expect(await storage.stat('present')).toBeUndefined()
		expect(await all(storage.list('present'))).toEqual([])
	})

	test('a body that is not what was declared is refused, and nothing is stored', async () => {
		await using place = await open()
		const { storage } = place
		for (const size of [1000, 9 * MIB]) {
			const body = noise(size)
			const sha256 = createHash('sha256').update(body).digest('hex')
			for (const wrong of [{ size: size - 1 }, { size: size + 1 }, { sha256: '0'.repeat(64) }]) {
				const error = await failure(storage.put('wrong', pieces(body), wrong))
				expect(error['code']).toBe('STORAGE_INTEGRITY')
			}
			expect(await storage.stat('wrong')).toBeUndefined()
			await storage.put(`right/${size}`, pieces(body), { size, sha256 })
		}
	})

	test('an error of the body is thrown as it is, and nothing is stored', async () => {
		await using place = await open()
		const { storage } = place
		for (const before of [10, 12 * MIB]) {
			const cause = new Error('the source broke')
			const body = async function* () {
				yield noise(before)
				throw cause
			}
			expect(await failure(storage.put('broken', body))).toBe(cause)
			expect(await storage.stat('broken')).toBeUndefined()
		}
	})

	test('a put that is aborted in its middle settles at once, though its source is silent, and stores nothing', async () => {
		await using place = await open()
		const { storage } = place
		const control = new AbortController()
		let isLeft = false
		const body = async function* () {
			try {
				yield noise(9 * MIB)
				control.abort()
				await new Promise((resolve) => setTimeout(resolve, 700))
				yield noise(1)
			} finally {
				isLeft = true
			}
		}
		const before = performance.now()
		await expect(storage.put('aborted', body, { signal: control.signal })).rejects.toMatchObject({
			code: 'INTERRUPTED',
		})
		expect(performance.now() - before).toBeLessThan(5000)
		expect(await storage.stat('aborted')).toBeUndefined()
		await expect.poll(() => isLeft, { timeout: 3000 }).toBe(true)
	})

	test('a read may be aborted, left in its middle, or never begun', async () => {
		await using place = await open()
		const { storage } = place
		await storage.put('long', noise(16 * MIB))
		const control = new AbortController()
		const { bytes } = await storage.get('long', { signal: control.signal })
		const read = async (): Promise<void> => {
			for await (const _ of bytes) control.abort()
		}
		await expect(read()).rejects.toMatchObject({ code: 'INTERRUPTED' })
		for await (const _ of (await storage.get('long')).bytes) break
		await (await storage.get('long')).bytes[Symbol.asyncIterator]().return?.()
		await expect(storage.stat('long', { signal: control.signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
		expect((await storage.stat('long'))?.size).toBe(16 * MIB)
	})

	test('keys of every allowed character, long ones, and pairs that differ by case', async () => {
		await using place = await open()
		const { storage } = place
		const keys = ['A', 'Z=z/._-0', 'a', 'a.b', 'a=b/c', 'aA/Aa', `long/${'x'.repeat(507)}`, 'x/y.z']
		for (const key of keys) await storage.put(key, Buffer.from(key))
		const listed = (await all(storage.list(''))).map(({ key }) => key)
		expect(listed).toEqual([...keys].sort())
		for (const key of keys) expect((await bytesOf((await storage.get(key)).bytes)).toString()).toBe(key)
		for (const key of ['', '../x', 'a//b', 'a?b', 'ä', 'a/'])
			await expect(storage.put(key, Buffer.alloc(0))).rejects.toMatchObject({ code: 'STORAGE_PERMANENT' })
	})
})
