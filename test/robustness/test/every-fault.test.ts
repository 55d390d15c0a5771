import { afterAll, expect, test } from 'vitest'
import type { Faults } from '@ydbackup/emulator'
import { differences, type Picture } from '../../../tools/demo/picture.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { createWorld, type World } from '../../e2e/src/world.ts'

/** Every switch that a database's user must not notice. Those of a server that lies are in e2e: they must be noticed. */
const TROUBLES: Record<string, Partial<Faults>> = {
	'reads that break': { breakReadAfterRows: 150, breakReadTimes: 8 },
	'reads that break in one partition': { breakReadInPartition: 1, breakReadAfterRows: 20, breakReadTimes: 4 },
	'slow reads': { delayReadMs: 15 },
	'a slow partition': { slowPartition: 1, slowPartitionMs: 100 },
	'messages of odd sizes': { readChunkRows: 7 },
	'unordered reads that jump': { interleaveRows: 3 },
	'partitions that split and merge during reads': { splitEveryRows: 40 },
	'messages without rows': { emptyMessages: true },
	'responses cut anywhere': { wireChunkBytes: 1021 },
	'bulk writes refused for a while': { overloadBulkUpsertTimes: 5 },
	'a server that is unavailable for a while': { unavailableTimes: 3 },
	'OVERLOADED now and then': { overloadedEvery: 7 },
	'UNAVAILABLE now and then': { unavailableEvery: 7 },
	'lost answers': { loseAnswerEvery: 9 },
	'sessions that end': { closeSessionsEvery: 6 },
	'a node that restarts': { restartEvery: 25, restartMs: 30 },
	'the hint to leave a session': { sessionCloseHint: true },
	'slow operations': { delayOperationsMs: 40 },
	'a clock that is a day ahead': { clockOffsetMs: 86_400_000 },
	'a clock that is a day behind': { clockOffsetMs: -86_400_000 },
}

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
		const found = differences(before, await world.picture())
		if (faults.splitEveryRows === undefined) {
			shared = Promise.resolve({ world, calm, before })
			return found
		}
		await world[Symbol.asyncDispose]()
		// A backup tells of the partitions that it saw, and by now there are others.
		return found.filter((each) => !/: partitions was/.test(each))
	} catch (error) {
		await world[Symbol.asyncDispose]()
		throw error
	}
}

for (const [name, faults] of Object.entries(TROUBLES))
	test(`${name}: backup, verify, restore and compare work`, async () => {
		expect(await mainJob(faults)).toEqual([])
	}, 30_000)

test('many troubles at once: backup, verify, restore and compare work', async () => {
	const faults = {
		breakReadAfterRows: 200,
		breakReadTimes: 5,
		readChunkRows: 11,
		interleaveRows: 5,
		splitEveryRows: 60,
		emptyMessages: true,
		wireChunkBytes: 4093,
		overloadBulkUpsertTimes: 2,
		overloadedEvery: 17,
		unavailableEvery: 19,
		closeSessionsEvery: 23,
		sessionCloseHint: true,
		delayOperationsMs: 5,
		slowPartition: 0,
		slowPartitionMs: 5,
		clockOffsetMs: 3_600_000,
	}
	expect(await mainJob(faults)).toEqual([])
}, 30_000)
