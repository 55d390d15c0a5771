import { expect, onTestFinished, test } from 'vitest'
import type { Storage } from '@ydbackup/core'
import { claimsFor, startSession } from '../src/index.ts'
import { collected } from './broken/flaw.ts'
import { directory, SMALL } from './stores.ts'

/** How the two claims about memory end over a directory, with a driver that is broken by a function. */
async function outcomes(breaks: (good: Storage) => Partial<Storage>): Promise<string[]> {
	const { open, remove } = await directory()
	onTestFinished(remove)
	const session = startSession({
		open: async () => {
			const good = await open()
			const own: Storage = {
				location: good.location,
				capabilities: good.capabilities,
				put: (key, body, options) => good.put(key, body, options),
				get: (key, options) => good.get(key, options),
				stat: (key, options) => good.stat(key, options),
				list: (prefix, options) => good.list(prefix, options),
				delete: (key, options) => good.delete(key, options),
				[Symbol.asyncDispose]: () => good[Symbol.asyncDispose](),
			}
			return { ...own, ...breaks(good) }
		},
		level: 'full',
		plan: { ...SMALL, claimMs: 20_000, memoryBytes: 96 * 2 ** 20 },
	})
	const found: string[] = []
	for (const claim of claimsFor('full').filter(({ id }) => id.startsWith('resources.memory'))) {
		const { id, outcome } = await session.check(claim)
		found.push(`${id} ${outcome}`)
	}
	await session.finish()
	return found
}

test('a driver that streams holds little', async () => {
	expect(await outcomes(() => ({}))).toEqual(['resources.memory-put passed', 'resources.memory-get passed'])
})

test('a driver that puts from one buffer is caught', async () => {
	const found = await outcomes((good) => ({
		put: async (key, body, options) => good.put(key, await collected(body), options),
	}))
	expect(found).toEqual(['resources.memory-put failed', 'resources.memory-get passed'])
})

test('a driver that gets into one buffer is caught', async () => {
	const found = await outcomes((good) => ({
		async get(key, options) {
			const { info, bytes } = await good.get(key, options)
			const whole = await collected(() => bytes)
			return {
				info,
				bytes: (async function* () {
					for (let at = 0; at < whole.length; at += 65_536) yield whole.subarray(at, at + 65_536)
				})(),
			}
		},
	}))
	expect(found).toEqual(['resources.memory-put passed', 'resources.memory-get failed'])
})
