import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Storage } from '@ydbackup/core'
import { openMemory } from '@ydbackup/storage'
import fsDriver from '@ydbackup/storage-fs/driver'
import type { Plan } from '../src/index.ts'

/** Amounts with which a whole run over a store in memory takes a moment. */
export const SMALL: Partial<Plan> = {
	claimMs: 10_000,
	settleMs: 1500,
	holdMs: 120,
	largeBytes: 600_001,
	raceClients: 8,
	raceRounds: 4,
	workloadMs: 1,
	memoryBytes: 0,
	speedMs: 0,
}

/** A store in memory that every opening shares. */
export function memory(): { readonly open: () => Promise<Storage>; readonly objects: Map<string, never> } {
	const objects = new Map<string, never>()
	return { objects, open: async () => openMemory({ objects }) }
}

/** A directory that is gone after the work. */
export async function directory(): Promise<{
	readonly location: string
	readonly open: () => Promise<Storage>
	readonly remove: () => Promise<void>
}> {
	const path = await mkdtemp(join(tmpdir(), 'driver-conformance-'))
	const location = pathToFileURL(join(path, 'repository'))
	return {
		location: location.href,
		open: () => fsDriver.open(location, { environment: {}, writable: true }),
		remove: () => rm(path, { recursive: true, force: true }),
	}
}
