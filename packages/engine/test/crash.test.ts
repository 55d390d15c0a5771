import { Repository } from '@ydbackup/catalog'
import { BackupError } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import { expect, test } from 'vitest'

import { intercept } from './intercept.ts'
import { seeded, World } from './world.ts'

interface Crash {
	/** Sees what the crash left. */
	readonly world: World
	readonly puts: number
	readonly isDone: boolean
}

/** A backup whose process ends behind its n-th put: nothing reaches the store afterwards, not even what cleans up. */
async function crashBehind(nth: number): Promise<Crash> {
	const storage = openMemory()
	const world = new World(seeded(), storage, await Repository.init(storage))
	let puts = 0
	const assertAlive = (): void => {
		if (puts >= nth) throw new BackupError('STORAGE_PERMANENT', 'the process is dead')
	}
	const mortal = intercept(storage, {
		async put(key, body, options, next) {
			assertAlive()
			const info = await next(key, body, options)
			puts++
			return info
		},
		async get(key, options, next) {
			assertAlive()
			return next(key, options)
		},
		async stat(key, next) {
			assertAlive()
			return next(key)
		},
		async delete(key, next) {
			assertAlive()
			return next(key)
		},
	})
	const dying = new World(world.database, mortal, await Repository.open(mortal))
	const isDone = await dying.backup({ concurrency: 1 }).then(
		() => true,
		() => false,
	)
	return { world, puts, isDone }
}

test('behind whichever put a process dies: nothing is listed, and what lies there cannot be imported or is all there', async () => {
	const whole = await crashBehind(Number.POSITIVE_INFINITY)
	expect(whole.isDone).toBe(true)
	const names = (keys: readonly string[]): string[] => keys.map((key) => key.split('/').slice(2).join('/'))
	const expected = names(await whole.world.keys('backups/'))
	let importable = 0
	// The last put is the manifest's own.
	for (let nth = 1; nth < whole.puts; nth++) {
		const { world, isDone } = await crashBehind(nth)
		expect({ nth, isDone }).toEqual({ nth, isDone: false })
		expect(await world.repository.list()).toEqual([])
		const left = names(await world.keys('backups/'))
		if (left.includes('metadata.json')) {
			importable++
			expect(left).toEqual(expected)
		}
		const next = await world.backup()
		expect((await world.repository.list()).map(({ id }) => id)).toEqual([next.id])
		expect(await world.verify('full')).toMatchObject({ findings: [] })
	}
	// Between the native root file and the manifest lies one moment, and no more.
	expect(importable).toBeLessThanOrEqual(1)
})
