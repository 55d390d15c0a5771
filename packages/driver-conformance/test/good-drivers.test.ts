import { expect, onTestFinished, test } from 'vitest'
import { claimsFor, GOLDEN, reportText, runConformance } from '../src/index.ts'
import { directory, memory, SMALL } from './stores.ts'

test('the memory driver keeps every claim', async () => {
	const { open, objects } = memory()
	const report = await runConformance({ open, level: 'full', plan: SMALL, isInProcess: true, secrets: ['a secret'] })
	expect(report.claims.filter(({ outcome }) => outcome === 'failed')).toEqual([])
	expect(report.claims.filter(({ outcome }) => outcome === 'skipped').map(({ id }) => id)).toEqual([
		'atomicity.killed',
		'resources.memory-put',
		'resources.memory-get',
		'permissions.refused',
		'permissions.read-only',
	])
	expect(report.isConforming, reportText(report)).toBe(true)
	expect(report.claims).toHaveLength(claimsFor('full').length)
	expect([...objects.keys()]).toEqual([])
})

test('storage-fs keeps every claim, with a process killed and without the object in memory', async () => {
	const { open, location, remove } = await directory()
	onTestFinished(remove)
	const driver = import.meta.resolve('@ydbackup/storage-fs/driver')
	const report = await runConformance({
		open,
		level: 'full',
		plan: { ...SMALL, listed: [0, 1, 1001], claimMs: 20_000, settleMs: 2000, memoryBytes: 128 * 2 ** 20, speedMs: 20 },
		driver: { name: '@ydbackup/storage-fs', version: '0.0.0' },
		process: { driver, location },
	})
	expect(report.claims.filter(({ outcome }) => outcome === 'failed')).toEqual([])
	expect(report.claims.filter(({ outcome }) => outcome === 'skipped').map(({ id }) => id)).toEqual([
		'contract.copy',
		'retention.held',
		'retention.extend',
		'retention.never-shorter',
		'retention.ends',
		'permissions.refused',
		'permissions.read-only',
		'permissions.secrets',
	])
	expect(report.isConforming, reportText(report)).toBe(true)
	expect(report.speed?.map(({ inFlight }) => inFlight)).toEqual([1, 4, 16])
})

test('a repository is copied to a store of another driver and back, and nothing stays there', async () => {
	const { open: openOther, objects } = memory()
	const { open, remove } = await directory()
	onTestFinished(remove)
	const seen = new Set<string>()
	const report = await runConformance({
		open,
		openOther: async () => {
			const other = await openOther()
			return { ...other, put: (key, body, options) => other.put(key, body, options).finally(() => seen.add(key)) }
		},
		plan: { ...SMALL, listed: [0] },
	})
	expect(report.claims.find(({ id }) => id === 'golden.copy')).toMatchObject({ outcome: 'passed' })
	expect(seen.size).toBe(GOLDEN.length)
	expect([...objects.keys()]).toEqual([])
})
