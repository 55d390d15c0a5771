import { afterAll, expect, test } from 'vitest'
import { FAULT_NAMES, type Faults, faultsOf } from '@ydbackup/emulator'
import { differences, type Picture } from '../../../tools/demo/picture.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { MANY, NOTICED, OF_COLLECTIONS, OF_EXPORTS, TROUBLES } from '../../e2e/src/troubles.ts'
import { createWorld, type World } from '../../e2e/src/world.ts'

interface Prepared {
	readonly world: World
	readonly calm: Faults
	readonly before: Picture
}

async function prepared(): Promise<Prepared> {
	const world = await createWorld({ nodes: 2 })
	await world.seed(300)
	await world.run(['repo', 'init'])
	return { world, calm: { ...world.emulator.faults }, before: await world.picture() }
}

/** A restored database is as it was: one serves all tests, until one of them fails. */
let shared: Promise<Prepared> | undefined
afterAll(async () => (await shared)?.world[Symbol.asyncDispose]())

/** Does the main job under faults. Returns what is different afterwards. */
async function mainJob(faults: Partial<Faults>): Promise<string[]> {
	const { world, calm, before } = await (shared ??= prepared())
	shared = undefined
	const under = async (words: string[]): Promise<void> => {
		Object.assign(world.emulator.faults, faults)
		const { code, error } = await world.runOnDatabase(words)
		Object.assign(world.emulator.faults, calm)
		expect({ code, error }).toEqual({ code: 0, error: undefined })
	}
	try {
		await under(['backup', 'create'])
		expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'])).toMatchObject({ code: 0 })
		await dropEverything(world.endpoint, world.database)
		await under(['restore', 'latest', '--verify-data'])
		// A backup tells of the partitions that it saw, and by now there may be others.
		const partitionsMove = faults.splitEveryRows !== undefined
		const found = differences(before, await world.picture(), { partitionsMove })
		if (partitionsMove) await world[Symbol.asyncDispose]()
		else shared = Promise.resolve({ world, calm, before })
		return found
	} catch (error) {
		await world[Symbol.asyncDispose]()
		throw error
	}
}

for (const [name, words] of Object.entries({ ...TROUBLES, ...MANY }))
	test(`${name}: backup, verify, restore and compare work`, async () => {
		expect(await mainJob(faultsOf(words.split(' ')))).toEqual([])
	}, 60_000)

test('every switch is one that must not be noticed, or one that must', () => {
	const harmless = Object.values({ ...TROUBLES, ...OF_COLLECTIONS, ...OF_EXPORTS }).flatMap((words) =>
		words.split(' ').map((word) => word.split('=')[0]!),
	)
	expect([...new Set(harmless), ...NOTICED].toSorted()).toEqual([...FAULT_NAMES].toSorted())
})
