import { BackupError } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import {
	applyRules,
	type BackupEntry,
	holdBackup,
	listHolds,
	planPrune,
	type PruneChoice,
	putTombstone,
	releaseBackup,
	type RetentionRules,
} from '../src/index.ts'
import { errorOf, keysOf, manifestOf, newRepository } from './stores.ts'

const NOW = new Date('2026-11-30T12:00:00Z')
const DAY = 86_400_000
const repository = await newRepository()

/** A backup of a moment, in milliseconds before `NOW`. */
function entryOf(index: number, agoMs: number, change: Partial<Manifest> = {}): BackupEntry {
	const takenAt = new Date(NOW.getTime() - agoMs).toISOString()
	const id = `20261130T${String(100_000 + index)}Z-aaaa`
	return {
		id,
		manifest: { ...manifestOf(repository, id, { snapshotBefore: takenAt, ...change }), sha256: '' } as Manifest,
	}
}

const ids = (entries: readonly BackupEntry[]): string[] => entries.map(({ id }) => id)
const plan = (entries: readonly BackupEntry[], rules: RetentionRules, more: Partial<PruneChoice> = {}) =>
	planPrune(entries, { rules, now: NOW, ...more })
const keptBy = (entries: readonly BackupEntry[], rules: RetentionRules, more: Partial<PruneChoice> = {}): string[] =>
	plan(entries, rules, more).flatMap(({ id, action }) => (action === 'keep' ? [id] : []))

test('days, weeks, months and years are those of UTC, and the newest of each stays', () => {
	const times = [
		'2025-12-31T23:59:59.999999Z',
		'2026-01-01T00:00:00.000000Z',
		'2026-11-22T23:59:59Z', // a Sunday
		'2026-11-23T00:00:01Z', // the Monday of the next week
		'2026-11-29T23:59:59Z',
		'2026-11-30T00:00:00Z',
		'2026-11-30T02:00:00Z',
	]
	const candidates = times.map((takenAt, index) => ({ id: String(index), takenAt }))
	const by = (rules: RetentionRules): string[] => [...applyRules(candidates, rules, NOW).keys()].toSorted()
	expect(by({ last: 2 })).toEqual(['5', '6'])
	expect(by({ daily: 2 })).toEqual(['4', '6'])
	// 2026-01-01 is of week 1 of 2026, and so is 2025-12-31.
	expect(by({ weekly: 10 })).toEqual(['1', '2', '4', '6'])
	expect(by({ monthly: 2 })).toEqual(['1', '6'])
	expect(by({ yearly: 5 })).toEqual(['0', '6'])
	expect(by({ withinMs: DAY })).toEqual(['4', '5', '6'])
	expect(by({})).toEqual([])
	expect(applyRules(candidates, { last: 1, daily: 1, weekly: 1, withinMs: 1 }, NOW).get('6')).toEqual([
		'last 1',
		'daily 2026-11-30',
		'weekly 2026-W49',
		'recent enough',
	])
})

/** Chains, labels, damage, times that are wrong in every way. */
const entriesOf = fc
	.array(
		fc.record({
			ago: fc.integer({ min: -3 * DAY, max: 800 * DAY }),
			parent: fc.option(fc.nat(20), { freq: 1 }),
			isDamaged: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
			database: fc.constantFrom('/local', '/other'),
			paths: fc.constantFrom([], ['a']),
			labels: fc.constantFrom({}, { why: 'nightly' }),
		}),
		{ maxLength: 25 },
	)
	.map((all) =>
		all.map(({ ago, parent, isDamaged, database, paths, labels }, index): BackupEntry => {
			const base = parent === null || index === 0 ? undefined : entryOf(parent % index, 0).id
			const change: Partial<Manifest> = {
				paths,
				labels,
				source: { database },
				...(base === undefined ? {} : { kind: 'incremental', parent: { id: base, manifestSha256: '0' } }),
			}
			const entry = entryOf(index, ago, change)
			return isDamaged ? { id: entry.id, error: new BackupError('MANIFEST_INVALID', 'damaged') } : entry
		}),
	)
const count = fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined })
const rulesOf: fc.Arbitrary<RetentionRules> = fc.record({
	last: count,
	daily: count,
	weekly: count,
	monthly: count,
	yearly: count,
	withinMs: fc.option(fc.integer({ min: 0, max: 400 * DAY }), { nil: undefined }),
})
const more = fc.record({
	proven: fc.array(fc.nat(24), { maxLength: 4 }).map((all) => new Set(all.map((index) => entryOf(index, 0).id))),
	needed: fc
		.array(fc.nat(24), { maxLength: 2 })
		.map((all) => new Map(all.map((index) => [entryOf(index, 0).id, ['it is held']]))),
	labels: fc.constantFrom({}, { why: 'nightly' }),
})

test('nothing goes that something that stays builds upon, that is needed, damaged or from the future', () => {
	fc.assert(
		fc.property(entriesOf, rulesOf, more, (entries, rules, others) => {
			const decisions = plan(entries, rules, others)
			expect(decisions.map(({ id }) => id)).toEqual(ids(entries))
			expect(decisions.every(({ reasons }) => reasons.length > 0)).toBe(true)
			const kept = new Set(keptBy(entries, rules, others))
			for (const { id, manifest } of entries) {
				if (manifest === undefined) expect(kept).toContain(id)
				else if (kept.has(id) && ids(entries).includes(manifest.parent?.id ?? ''))
					expect(kept).toContain(manifest.parent!.id)
				if (manifest !== undefined && Date.parse(manifest.snapshotBefore) > NOW.getTime() + DAY)
					expect(kept).toContain(id)
				if (others.needed.has(id)) expect(kept).toContain(id)
				if (manifest !== undefined && Object.keys(others.labels).some((name) => !(name in manifest.labels)))
					expect(kept).toContain(id)
			}
			// Something readable of every kind is left, and something proven where there was something.
			for (const { manifest } of entries) {
				if (manifest === undefined) continue
				const isAlike = (other: BackupEntry): boolean =>
					other.manifest?.source.database === manifest.source.database &&
					other.manifest.paths.join() === manifest.paths.join()
				expect(entries.some((other) => isAlike(other) && kept.has(other.id))).toBe(true)
			}
			expect(new Set(keptBy(entries, rules, { ...others, proven: new Set() })).isSubsetOf(kept)).toBe(true)
		}),
		{ numRuns: 400 },
	)
})

test('more of a rule, or one rule more, never lets go of anything', () => {
	fc.assert(
		fc.property(entriesOf, rulesOf, rulesOf, more, (entries, rules, added, others) => {
			const names = ['last', 'daily', 'weekly', 'monthly', 'yearly', 'withinMs'] as const
			const larger = Object.fromEntries(names.map((name) => [name, (rules[name] ?? 0) + (added[name] ?? 0)]))
			const few = new Set(keptBy(entries, rules, others))
			expect(few.isSubsetOf(new Set(keptBy(entries, larger, others)))).toBe(true)
		}),
		{ numRuns: 400 },
	)
})

test('a clock that is wrong makes nothing look older: behind or ahead, ours or that of a backup', () => {
	fc.assert(
		fc.property(entriesOf, rulesOf, fc.integer({ min: 0, max: 4000 * DAY }), (entries, rules, skew) => {
			const honest = entries.filter(({ manifest }) => Date.parse(manifest?.snapshotBefore ?? '') <= NOW.getTime())
			// Ours is ahead: nothing else is decided.
			const ahead = { now: new Date(NOW.getTime() + skew) }
			expect(keptBy(honest, rules, ahead)).toEqual(keptBy(honest, rules))
			// Ours is behind: what it calls the future stays, and what it calls recent is more.
			const behind = { now: new Date(NOW.getTime() - skew) }
			const { withinMs } = rules
			const inTime = new Set(keptBy(honest, { withinMs }))
			expect(inTime.isSubsetOf(new Set(keptBy(honest, { withinMs }, behind)))).toBe(true)
		}),
		{ numRuns: 200 },
	)
	// One backup of the year 2099 does not push the others out.
	const entries = [entryOf(0, 3 * DAY), entryOf(1, 2 * DAY), entryOf(2, -80 * 365 * DAY), entryOf(3, DAY)]
	expect(keptBy(entries, { withinMs: 7 * DAY })).toEqual(ids(entries))
	expect(keptBy(entries, { last: 2 })).toEqual([entries[1]!.id, entries[2]!.id, entries[3]!.id])
})

test('chains: the newest links stay with all that they build upon, and whole old chains go', () => {
	const link = (index: number, parent: number | undefined): BackupEntry =>
		entryOf(
			index,
			(10 - index) * DAY,
			parent === undefined ? {} : { kind: 'incremental', parent: { id: entryOf(parent, 0).id, manifestSha256: '0' } },
		)
	const entries = [link(0, undefined), link(1, 0), link(2, 1), link(3, undefined), link(4, 3), link(5, 4)]
	expect(keptBy(entries, { last: 1 })).toEqual(ids(entries).slice(3))
	expect(keptBy(entries, { last: 4 })).toEqual(ids(entries))
	const decisions = plan(entries, { last: 1 })
	expect(decisions.map(({ reasons }) => reasons.join())).toEqual([
		...Array.from({ length: 3 }, () => 'no rule keeps it'),
		`${entries[4]!.id} builds upon it`,
		`${entries[5]!.id} builds upon it`,
		'last 1',
	])
})

test('a hold says why and until when, and a release takes all of them away', async () => {
	const held = await newRepository()
	const { id } = entryOf(1, 0)
	expect(await errorOf(holdBackup(held, id, {}))).toMatchObject({ code: 'BACKUP_NOT_FOUND' })
	expect(await errorOf(releaseBackup(held, id))).toMatchObject({ code: 'BACKUP_NOT_FOUND' })
	await held.commit(manifestOf(held, id))
	const until = new Date('2027-01-01T00:00:00Z')
	await holdBackup(held, id, { until, reason: 'audit' })
	await holdBackup(held, id, {})
	const holds = (await listHolds(held.storage)).get(id)
	const said = new Set(holds?.map(({ until: end, reason }) => `${end} ${reason}`))
	expect(said).toEqual(new Set(['2027-01-01T00:00:00.000Z audit', 'undefined undefined']))
	expect(await releaseBackup(held, id)).toHaveLength(2)
	expect(await releaseBackup(held, id)).toEqual([])
	expect((await keysOf(held.storage)).filter((key) => key.startsWith('holds/'))).toEqual([])
	// Whoever deletes came first.
	await putTombstone(held.storage, id, NOW)
	expect((await errorOf(holdBackup(held, id, {}))).code).toMatch(/BACKUP_(?:DELETED|NOT_FOUND)/u)
	expect((await keysOf(held.storage)).filter((key) => key.startsWith('holds/'))).toEqual([])
})
