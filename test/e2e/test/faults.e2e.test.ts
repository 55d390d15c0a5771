import { expect, test } from 'vitest'
import type { Faults } from '@ydbackup/emulator'
import { differences } from '../../../tools/demo/picture.ts'
import { dropEverything } from '../../../tools/demo/their-reader.ts'
import { createWorld } from '../src/world.ts'

const HARMLESS: Record<string, Partial<Faults>> = {
	'streams that break': { breakReadAfterRows: 700, breakReadTimes: 6 },
	'streams that break at once': { breakReadAfterRows: 0, breakReadTimes: 3 },
	'odd message sizes': { readChunkRows: 7 },
	'empty messages': { emptyMessages: true },
	'a server that is unavailable for a while': { unavailableTimes: 3 },
	'a server that is overloaded': { overloadBulkUpsertTimes: 5 },
}

for (const [name, faults] of Object.entries(HARMLESS)) {
	test(`${name} change nothing in a backup and its restore`, async () => {
		await using world = await createWorld()
		await world.seed(1500)
		const before = await world.picture()
		await world.run(['repo', 'init'])
		Object.assign(world.emulator.faults, faults)
		expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
		Object.assign(world.emulator.faults, { unavailableTimes: 0, breakReadTimes: 0 })
		await dropEverything(world.endpoint, world.database)
		Object.assign(world.emulator.faults, faults)
		expect(await world.runOnDatabase(['restore', 'latest', '--verify-data'])).toMatchObject({ code: 0 })
		Object.assign(world.emulator.faults, { breakReadTimes: 0, unavailableTimes: 0 })
		expect(differences(before, await world.picture())).toEqual([])
	})
}

test('a stream that ends early and cleanly is found before the backup is listed', async () => {
	await using world = await createWorld()
	await world.seed(1500)
	await world.run(['repo', 'init'])
	world.emulator.faults.endReadEarlyAfterRows = 50
	const { code, error } = await world.runOnDatabase(['backup', 'create'])
	expect({ code, error: error.code }).toEqual({ code: 3, error: 'COUNT_MISMATCH' })
	expect((await world.run(['backup', 'list'])).result.backups).toEqual([])
})

test('rows that are acknowledged and not stored are found', async () => {
	await using world = await createWorld()
	await world.seed(500)
	await world.run(['repo', 'init'])
	await world.runOnDatabase(['backup', 'create'])
	await dropEverything(world.endpoint, world.database)
	world.emulator.faults.dropBulkUpsertSilently = true
	const { code, error } = await world.runOnDatabase(['restore', 'latest'])
	expect({ code, error: error.code }).toEqual({ code: 3, error: 'COUNT_MISMATCH' })
})

test('Ctrl-C ends with 130, names what is left, and the next backup works', async () => {
	await using world = await createWorld()
	await world.seed(3000)
	await world.run(['repo', 'init'])
	world.emulator.faults.delayReadMs = 3000
	let pressed = false
	const stopped = await world.runOnDatabase(['backup', 'create', '--progress', 'json'], {
		onStart: (child) =>
			child.stderr!.on('data', (text: string) => {
				if (!pressed && text.includes('"name":"data"')) pressed = child.kill('SIGINT')
			}),
	})
	expect({ code: stopped.code, error: stopped.error.code }).toEqual({ code: 130, error: 'INTERRUPTED' })
	expect(`${stopped.error.message} ${stopped.error.advice}`).toMatch(/~ydbackup-/)
	expect((await world.run(['backup', 'list'])).result.backups).toEqual([])
	world.emulator.faults.delayReadMs = 0
	expect(await world.runOnDatabase(['backup', 'create'])).toMatchObject({ code: 0 })
	expect((await world.run(['backup', 'list'])).result.backups).toHaveLength(1)
})
