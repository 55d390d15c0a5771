import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { compareBackupIds, formatBackupId, nextBackupId, parseBackupId } from '../src/index.ts'
import { nearestIds } from '../src/id/nearest-ids.ts'

const times = fc.date({
	min: new Date('2000-01-01T00:00:00Z'),
	max: new Date('9999-12-31T23:59:59Z'),
	noInvalidDate: true,
})
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('an id says its second, in UTC', () => {
	expect(formatBackupId(new Date('2026-11-23T02:15:30.999Z'), 0)).toBe('20261123T021530Z-0000')
	expect(formatBackupId(new Date('2026-11-23T02:15:30Z'), 0.9999999)).toBe('20261123T021530Z-zzzz')
	expect(parseBackupId('20261123T021530Z-k3f9')).toEqual({ time: new Date('2026-11-23T02:15:30Z'), suffix: 'k3f9' })
})

test('ids sort by time', () => {
	fc.assert(
		fc.property(times, times, randoms, randoms, (a, b, r, s) => {
			const [first, second] = [formatBackupId(a, r), formatBackupId(b, s)]
			expect(parseBackupId(first)?.time.getTime()).toBe(Math.floor(a.getTime() / 1000) * 1000)
			const seconds = Math.floor(a.getTime() / 1000) - Math.floor(b.getTime() / 1000)
			if (seconds !== 0) expect(Math.sign(compareBackupIds(first, second))).toBe(Math.sign(seconds))
		}),
	)
})

test.for([
	'',
	'latest',
	'..',
	'20261123T021530Z',
	'20261123T021530Z-K3F9',
	'20261123T021530Z-k3f',
	'20261123T021530Z-k3f9x',
	'20261323T021530Z-k3f9',
	'20260231T021530Z-k3f9',
	'20261123T251530Z-k3f9',
	'20261123T021530Z-k3f9\n',
	'20261123T021530Z-k3f9/x',
	' 20261123T021530Z-k3f9',
	'20261123t021530z-k3f9',
])('%j is no id', (text) => {
	expect(parseBackupId(text)).toBeUndefined()
})

test('a new id is above the newest one or there is none', () => {
	fc.assert(
		fc.property(times, randoms, randoms, fc.integer({ min: -5, max: 5 }), (time, r, s, seconds) => {
			const newest = formatBackupId(time, r)
			const now = new Date(time.getTime() + seconds * 1000)
			fc.pre(now.getUTCFullYear() <= 9999 && newest.slice(-4) !== 'zzzz')
			if (Math.floor(now.getTime() / 1000) < Math.floor(time.getTime() / 1000)) {
				expect(() => nextBackupId(now, newest, s)).toThrow(expect.objectContaining({ code: 'BACKUP_ID_CONFLICT' }))
			} else {
				const id = nextBackupId(now, newest, s)
				expect(compareBackupIds(id, newest)).toBeGreaterThan(0)
				expect(parseBackupId(id)).toBeDefined()
			}
		}),
	)
})

test('a clock that is behind the newest backup is named with both times', () => {
	expect(() => nextBackupId(new Date('2026-11-23T02:15:29Z'), '20261123T021530Z-0000', 0.5)).toThrow(
		/the clock says 2026-11-23T02:15:29.000Z, and backup 20261123T021530Z-0000 exists/u,
	)
})

test('a second without a free id asks to try again', () => {
	expect(() => nextBackupId(new Date('2026-11-23T02:15:30Z'), '20261123T021530Z-zzzz', 0.5)).toThrow(
		expect.objectContaining({ code: 'BACKUP_ID_CONFLICT', retry: 'later' }),
	)
})

test('the ids that are nearest to a mistyped one are named', () => {
	const ids = ['20261121T000000Z-aaaa', '20261122T000000Z-bbbb', '20261122T120000Z-cccc', '20261123T000000Z-dddd']
	expect(nearestIds('20261122', ids)).toEqual(['20261122T120000Z-cccc', '20261122T000000Z-bbbb'])
	expect(nearestIds('20261122T120000Z-cccx', ids)[0]).toBe('20261122T120000Z-cccc')
	expect(nearestIds('foo', ids)).toEqual(['20261123T000000Z-dddd', '20261122T120000Z-cccc', '20261122T000000Z-bbbb'])
})
