import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackupError } from '@ydbackup/core'
import type { ConformanceReport } from '@ydbackup/driver-conformance'
import { expect, onTestFinished, test } from 'vitest'
import { claimProgress } from '../src/progress/claim-progress.ts'
import { checkedFailure } from '../src/report/checked-driver.ts'
import { mistakesOf, readSchema } from './support/schema-check.ts'
import { ydbackup } from './support/ydbackup.ts'

async function newDirectory(): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), 'ydbackup-check-'))
	onTestFinished(() => rm(directory, { recursive: true, force: true }))
	return directory
}

test('the check of a directory passes, as JSON that keeps its schema, and leaves nothing', async () => {
	const directory = await newDirectory()
	const { code, document, stdout } = await ydbackup(['driver', 'check', directory, '--json'])
	expect(mistakesOf(readSchema('driver-check.json'), document), stdout).toEqual([])
	expect({ code, result: document.result }).toMatchObject({
		code: 0,
		result: { isConforming: true, driver: { name: '@ydbackup/storage-fs' }, counts: { failed: 0 } },
	})
	expect(document.result.speed.map(({ inFlight }: { inFlight: number }) => inFlight)).toEqual([1, 4, 16])
	expect(await readdir(directory)).toEqual([])
})

test('without the speed nothing is measured', async () => {
	const { code, document } = await ydbackup(['driver', 'check', await newDirectory(), '--no-speed', '--json'])
	expect(mistakesOf(readSchema('driver-check.json'), document)).toEqual([])
	expect({ code, speed: document.result.speed }).toEqual({ code: 0, speed: undefined })
})

test('people get a line for each claim, the speed and the verdict; Ctrl-C stops it and leaves nothing', async () => {
	const directory = await newDirectory()
	let isTold = false
	const { code, stdout } = await ydbackup(['driver', 'check', directory, '--level', 'full', '--progress', 'json'], {
		onError(text, child) {
			if (isTold || !text.includes('contract.empty')) return
			isTold = true
			child.kill('SIGINT')
		},
	})
	expect(code).toBe(130)
	expect(stdout).toMatch(/^@ydbackup\/storage-fs [\d.]+ at file:\/\/.*, level full\n\nok +contract\.capabilities +\w/)
	expect(stdout).toMatch(/stopped after \d+ of \d+ claims/)
	expect(await readdir(directory)).toEqual([])
})

test('what cannot be checked is refused in words', async () => {
	for (const [words, exit, expected] of [
		[[], 2, 'CONFIG_INVALID'],
		[['nosuch://place'], 2, 'DRIVER_MISSING'],
		[['/srv', '--level', 'deep'], 2, 'CONFIG_INVALID'],
		[['s3://user:password@host/bucket'], 2, 'CONFIG_INVALID'],
	] as const) {
		const { code, document } = await ydbackup(['driver', 'check', ...words, '--json'])
		expect(mistakesOf(readSchema('driver-check.json'), document)).toEqual([])
		expect({ words, code, error: document.error?.code }).toEqual({ words, code: exit, error: expected })
	}
})

const report: ConformanceReport = {
	contract: 1,
	location: 'acme://store',
	capabilities: {
		conditionalCreate: true,
		strongList: true,
		orderedList: true,
		rangeRead: true,
		retention: { lacking: 'no' },
		serverSideCopy: { lacking: 'no' },
		maxObjectBytes: 1,
		maxKeyBytes: 512,
		maxConcurrency: 1,
	},
	level: 'quick',
	startedAt: '2026-11-23T00:00:00.000Z',
	ms: 1,
	isConforming: true,
	counts: { passed: 1, failed: 0, skipped: 0 },
	claims: [],
	cleanup: { removed: 1, left: [] },
}

test('a failed claim, a stop and a bad clean-up are failures of their own kinds', () => {
	const claim = { id: 'list.order', group: 'list', title: 'keys come in order', outcome: 'failed', ms: 1 } as const
	expect(checkedFailure(report)).toBeUndefined()
	const broken = { ...report, isConforming: false, claims: [{ ...claim, detail: 'b is listed after c' }] }
	const failed = checkedFailure({ ...broken, counts: { passed: 0, failed: 3, skipped: 0 } })
	expect(failed).toBeInstanceOf(BackupError)
	expect(failed).toMatchObject({
		code: 'DRIVER_INVALID',
		message: 'the driver does not keep its contract at acme://store: list.order: b is listed after c (and 2 more)',
	})
	expect(checkedFailure({ ...report, isConforming: false, stopped: 'stopped after 1 of 2 claims' })).toMatchObject({
		code: 'INTERRUPTED',
		message: 'the check of acme://store was stopped after 1 of 2 claims',
	})
	const denied = { delete: 'STORAGE_PERMISSION: no' }
	const rest = { removed: 0, left: ['ydbackup-driver-check-1/rights/object'] }
	expect(checkedFailure({ ...report, isConforming: false, denied, cleanup: rest })).toMatchObject({
		code: 'STORAGE_PERMISSION',
		message:
			'the check of acme://store proves little: the credentials may not delete; ydbackup-driver-check-1/rights/object is left there',
	})
	const left = { removed: 0, left: ['ydbackup-driver-check-1/a'] }
	expect(checkedFailure({ ...report, isConforming: false, cleanup: left })).toMatchObject({
		code: 'PARTIAL',
		advice: 'remove what is below ydbackup-driver-check-1/: it is not needed',
	})
})

test('progress is a line that changes, a line every few seconds, JSON or nothing', () => {
	const claim = { id: 'list.order', group: 'list', title: 'keys come in order', outcome: 'passed', ms: 7 } as const
	const written = (style: 'auto' | 'bar' | 'lines' | 'json' | 'none', isTTY: boolean): string => {
		let text = ''
		let now = 0
		using progress = claimProgress(style, { write: (more) => (text += more), isTTY, columns: 20 }, () => now)
		now = 5000
		progress.onProgress({ claim, done: 1, total: 9 })
		if (style === 'lines') progress.onProgress({ claim, done: 2, total: 9 })
		return text
	}
	expect(written('auto', true)).toBe('\r\u001b[K1 of 9: list.order ')
	expect(written('auto', false)).toBe('1 of 9: list.order passed\n')
	expect(written('none', true)).toBe('')
	expect(written('lines', false)).toBe('1 of 9: list.order passed\n')
	expect(JSON.parse(written('json', false))).toEqual({
		ydbackup: 1,
		type: 'claim',
		id: 'list.order',
		outcome: 'passed',
		ms: 7,
		done: 1,
		total: 9,
	})
})
