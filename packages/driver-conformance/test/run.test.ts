import { BackupError, type Storage } from '@ydbackup/core'
import { expect, test } from 'vitest'
import {
	type ClaimReport,
	claimsFor,
	type ConformanceReport,
	reportText,
	type Right,
	runConformance,
} from '../src/index.ts'
import { memory, SMALL } from './stores.ts'

const never = (): Promise<never> => new Promise(() => undefined)

test('progress tells of every claim, and the report is data', async () => {
	const { open } = memory()
	const seen: string[] = []
	const report = await runConformance({
		open,
		plan: { ...SMALL, speedMs: 5 },
		driver: { name: 'memory', version: '1.2.3' },
		onProgress: ({ claim, done, total }) => seen.push(`${done}/${total} ${claim.id}`),
	})
	const all = claimsFor('quick')
	expect(seen).toEqual(all.map(({ id }, index) => `${index + 1}/${all.length} ${id}`))
	expect(JSON.parse(JSON.stringify(report))).toEqual(report)
	expect(report.speed?.map(({ inFlight }) => inFlight)).toEqual([1, 4, 16])
	expect(report.recommended?.putsInFlight).toBeGreaterThan(0)
	expect(reportText(report)).toMatch(/^memory 1\.2\.3 at memory:, level quick\n[^]*the driver keeps the contract\n$/)
})

test('every claim has an id of its own and a title', () => {
	const ids = claimsFor('full').map(({ id }) => id)
	expect(new Set(ids).size).toBe(ids.length)
	for (const { id, group, title } of claimsFor('full')) {
		expect(id).toMatch(/^[a-z-]+\.[a-z-]+$/)
		expect(id.startsWith(`${group}.`)).toBe(true)
		expect(title).not.toMatch(/[.]$/)
	}
	expect(claimsFor('quick').length).toBeLessThan(ids.length)
	expect(claimsFor('soak')).toEqual(claimsFor('full'))
})

test('a call that never settles fails its claims in time and names what it waited for', async () => {
	const { open } = memory()
	const report = await runConformance({
		open: async () => ({ ...(await open()), stat: never }),
		plan: { ...SMALL, claimMs: 60, settleMs: 30, holdMs: 30 },
	})
	const absent = report.claims.find(({ id }) => id === 'contract.stat-absent')
	expect(absent?.detail).toMatch(/^the claim was not over after 60 ms, while looking for missing/)
	expect(report.isConforming).toBe(false)
	expect(report.cleanup.left).toEqual([])
})

test('a stop while the first call hangs ends the run at once', async () => {
	const { open } = memory()
	const begun = performance.now()
	const report = await runConformance({
		open: async () => ({ ...(await open()), put: never }),
		plan: { ...SMALL, settleMs: 100 },
		signal: AbortSignal.timeout(50),
	})
	expect(report.stopped).toMatch(/^stopped after 0 of/)
	expect(performance.now() - begun).toBeLessThan(3000)
})

test('a store that cannot be opened fails the run with its own error', async () => {
	const error = new BackupError('STORAGE_PERMISSION', 'the store refuses')
	const open = (): Promise<never> => Promise.reject(error)
	await expect(runConformance({ open })).rejects.toBe(error)
})

test('a store that never opens fails the run in time', async () => {
	await expect(runConformance({ open: never, plan: { claimMs: 50 } })).rejects.toThrow('not over after 50 ms')
})

test('a run that is stopped ends at once, says so and leaves nothing', async () => {
	const { open, objects } = memory()
	const stop = new AbortController()
	const claims: ClaimReport[] = []
	const report = await runConformance({
		open,
		plan: SMALL,
		signal: stop.signal,
		onProgress({ claim, done }) {
			claims.push(claim)
			if (done === 20) setImmediate(() => stop.abort())
		},
	})
	expect(report.stopped).toMatch(/^stopped after \d+ of \d+ claims$/)
	expect(report.counts.failed).toBe(0)
	expect(report.isConforming).toBe(false)
	expect(report.claims).toEqual(claims)
	expect([...objects.keys()]).toEqual([])
})

test('the clean-up removes what a listing does not show, and nothing that was there before', async () => {
	const { open, objects } = memory()
	await (await open()).put('mine', new Uint8Array(3))
	const report = await runConformance({
		open: async () => {
			const good = await open()
			return {
				...good,
				async *list(prefix, options) {
					for await (const info of good.list(prefix, options)) if (!info.key.endsWith('7')) yield info
				},
			}
		},
		plan: SMALL,
	})
	expect(report.isConforming).toBe(false)
	expect([...objects.keys()]).toEqual(['mine'])
})

/** A run with credentials that may not do everything. */
async function limited(...rights: readonly Right[]): Promise<{ report: ConformanceReport; keys: string[] }> {
	const { open, objects } = memory()
	const refuse = (right: Right) => (): never => {
		throw new BackupError('STORAGE_PERMISSION', `${right} is forbidden`)
	}
	const report = await runConformance({
		open: async () => {
			const good = await open()
			const refused = rights.map((right) => [
				right,
				right === 'list'
					? async function* () {
							yield* []
							refuse(right)()
						}
					: async () => refuse(right)(),
			])
			return { ...good, ...(Object.fromEntries(refused) as Partial<Storage>) }
		},
		plan: { ...SMALL, speedMs: 1 },
	})
	return { report, keys: [...objects.keys()] }
}

test('credentials that may only read: nothing is tried, nothing is said against the driver, nothing is left', async () => {
	const { report, keys } = await limited('put', 'delete')
	expect(report.denied).toEqual({
		put: 'STORAGE_PERMISSION: put is forbidden',
		delete: 'STORAGE_PERMISSION: delete is forbidden',
	})
	expect(report.counts).toEqual({ passed: 0, failed: 0, skipped: claimsFor('quick').length })
	expect(report.isConforming).toBe(false)
	expect(report.speedProblem).toBe('the credentials may not put')
	expect({ cleanup: report.cleanup, keys }).toEqual({ cleanup: { removed: 0, left: [] }, keys: [] })
	expect(reportText(report)).toMatch(/may not put: .*\n[^]*the driver was not tried to the end\n$/)
})

test('credentials that may not delete: one small object is left, and told', async () => {
	for (const rights of [['delete'], ['get', 'stat', 'list', 'delete']] as const) {
		const { report, keys } = await limited(...rights)
		expect(keys).toEqual([expect.stringMatching(/^ydbackup-driver-check-[^/]+\/rights\/object$/)])
		expect(report.cleanup.left).toEqual(keys)
		expect(report.cleanup.problem).toMatch(/^STORAGE_PERMISSION: (delete|list) is forbidden$/)
		expect(report.counts.failed).toBe(0)
		expect(Object.keys(report.denied ?? {})).toEqual([...rights])
		expect(reportText(report)).toContain('left behind: ydbackup-driver-check-')
	}
})

test('credentials that may not list: what needs a listing is skipped, the rest is tried and measured', async () => {
	const { report, keys } = await limited('list')
	expect(report.counts.failed).toBe(0)
	expect(report.counts.passed).toBeGreaterThan(10)
	expect(report.claims.find(({ id }) => id === 'list.complete' || id === 'contract.round-trip')).toMatchObject({
		outcome: 'skipped',
		detail: 'the credentials may not list',
	})
	expect(report.speed?.length).toBe(3)
	expect(report.isConforming).toBe(false)
	expect(keys).toEqual([])
})

test('a secret that an error shows is in no report', async () => {
	const { open } = memory()
	const report = await runConformance({
		open: async () => ({
			...(await open()),
			async delete() {
				throw new Error('DELETE https://store/?key=hunter2+2 failed')
			},
		}),
		plan: SMALL,
		secrets: ['hunter2+2'],
	})
	expect(report.claims.find(({ id }) => id === 'permissions.secrets')?.outcome).toBe('failed')
	expect(JSON.stringify(report) + reportText(report)).not.toContain('hunter2')
})

test('a store that lacks capabilities is not failed for them', async () => {
	const { open } = memory()
	const lacking = { lacking: 'this store is simple' }
	const report = await runConformance({
		open: async () => {
			const { copy: _copy, extendRetention: _extend, ...good } = await open()
			return {
				...good,
				capabilities: {
					...good.capabilities,
					conditionalCreate: lacking,
					orderedList: lacking,
					rangeRead: lacking,
					retention: lacking,
					serverSideCopy: lacking,
					strongList: lacking,
				},
			}
		},
		level: 'full',
		isInProcess: true,
		plan: SMALL,
	})
	const { counts, claims } = report
	expect(claims.filter(({ outcome }) => outcome === 'failed')).toEqual([])
	expect(counts.skipped).toBe(25)
	expect(claims.find(({ id }) => id === 'range.exact')?.detail).toBe('rangeRead is lacking: this store is simple')
})

test('soak measures 64 calls in flight too, or as many as the store takes', async () => {
	const { open } = memory()
	const widths = async (maxConcurrency: number): Promise<number[] | undefined> => {
		const report = await runConformance({
			open: async () => {
				const good = await open()
				return { ...good, capabilities: { ...good.capabilities, maxConcurrency } }
			},
			level: 'soak',
			isInProcess: true,
			plan: { ...SMALL, speedMs: 1 },
		})
		return report.speed?.map(({ inFlight }) => inFlight)
	}
	expect(await widths(64)).toEqual([1, 4, 16, 64])
	expect(await widths(10)).toEqual([1, 4, 10])
})
