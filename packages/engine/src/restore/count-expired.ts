import { protoMessage } from '@ydbackup/core'

import type { StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import { openScheme } from '../part/contents.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'
import { expiredCounter, type TtlRule, ttlRule } from './ttl-rule.ts'
import { readUnits } from './write-rows.ts'

const DAY_MS = 86_400_000

/** The TTL that the rows of a table come under; undefined when there is none, or it stays off. */
async function ruleOver(
	{ sink, options }: RestoreRun,
	work: TableWork,
	signal: AbortSignal | undefined,
): Promise<TtlRule | undefined> {
	if (!work.existed && options.ttl === 'off') return undefined
	const { schema } = openScheme(work.stored)
	const { scheme } = work.existed ? await sink.describeTable(work.target, { signal }) : openScheme(work.stored)
	return ttlRule(protoMessage(scheme, 'ttl_settings'), schema)
}

/** Reads the rows of all tables with a TTL, and counts those that it would delete at once, by the clock of this machine. */
export async function countExpired(run: RestoreRun, stalls: StallWatch): Promise<void> {
	const { reporter, concurrency, meter, tables } = run
	const counted = new Map<TableWork, { expired: number; count: ReturnType<typeof expiredCounter> }>()
	for (const work of tables) {
		const rule = await ruleOver(run, work, stalls.signal)
		if (rule === undefined) continue
		counted.set(work, { expired: 0, count: expiredCounter(rule, openScheme(work.stored).schema, Date.now()) })
	}
	if (counted.size === 0) return
	reporter.phase('ttl', `reading ${counted.size} tables for rows that their TTL would delete`)
	await runAll(
		readUnits(run, [...counted.keys()], stalls),
		concurrency,
		stalls.signal,
		async ({ work, chunks }, signal) => {
			const found = counted.get(work)!
			for await (const chunk of chunks(signal)) found.expired += found.count(chunk)
		},
	)
	meter.restart()
	for (const [work, { expired }] of counted) {
		work.expired = expired
		if (expired === 0) continue
		reporter.warn(
			`its TTL would delete ${expired} of its ${work.expected.rows} rows at once: ${work.existed ? 'switch it off before' : 'leave it off with ttl off'}, or they are lost again`,
			work.target,
		)
	}
}

/** Says of which tables rows must have expired since the backup was taken: nobody has counted them. */
export function warnOfAge(run: RestoreRun, takenAt: string | undefined): void {
	const { ttl, schemeOnly } = run.options
	if (takenAt === undefined || ttl === 'off' || schemeOnly === true) return
	const ageMs = Date.now() - Date.parse(takenAt)
	for (const work of run.tables.filter(({ existed }) => !existed)) {
		const { scheme, schema } = openScheme(work.stored)
		const rule = ttlRule(protoMessage(scheme, 'ttl_settings'), schema)
		if (rule === undefined || ageMs <= rule.afterSeconds * 1000) continue
		run.reporter.warn(
			`the backup is ${spellDays(ageMs)} old and its TTL lets rows live for ${spellDays(rule.afterSeconds * 1000)} after ${rule.column}: all that was due when the backup was taken is deleted when the TTL is switched on at the end; leave it off with ttl off, and count such rows with a dry run`,
			work.target,
		)
	}
}

const spellDays = (ms: number): string =>
	ms >= DAY_MS ? `${Math.floor(ms / DAY_MS)} days` : `${Math.floor(ms / 3_600_000)} hours`
