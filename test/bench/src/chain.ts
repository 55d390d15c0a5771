// npm run bench -- chain [--smoke] [--rounds N] [--json]: what a chain of increments costs.
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ChainJob } from './chain-job.ts'
import { type Cost, median } from './measure.ts'

const BOUNDS = {
	bytesToChanges: {
		atMost: 1.3,
		means: 'bytes stored of an increment ÷ those of a full backup of the changed rows alone',
	},
	shipToTable: {
		atMost: 1.5,
		means: 'CPU of shipping an increment ÷ the same number of changes in a table of a quarter of the rows',
	},
	restoreToParts: {
		atMost: 1,
		means: 'CPU of restoring the last link ÷ (restore of the full + 1.5 × restore of all changed rows alone)',
	},
	drainToDiff: { atLeast: 0.25, means: 'wall time of a raw drain of the table ÷ an increment by comparison' },
	drainToKept: {
		atLeast: 0.7,
		means: 'wall time of a raw drain of the table and of the kept copy side by side ÷ an increment against that copy',
	},
} as const
const MAX_RSS_MIB = 300
const LINKS = 10

type Done = Cost & {
	readonly id: string
	readonly storedBytes: number
	readonly rss: number
	readonly keptCopy?: string
}

/** A table of a million rows of which one of a hundred changes for each of ten links, in turns with what the links are measured by. */
export async function chainBench({
	smoke,
	json,
	rounds,
}: {
	smoke: boolean
	json: boolean
	rounds: string
}): Promise<void> {
	const rows = smoke ? 20_000 : 1_000_000
	const repeats = smoke ? 1 : Number(rounds)
	const say = (text: string): void => void process.stderr.write(`${text}\n`)
	const scratch = await mkdtemp(join(tmpdir(), 'ydbackup-bench-'))
	const emulator = fork(fileURLToPath(new URL('./emulator-process.ts', import.meta.url)), { stdio: 'inherit' })
	const limit = setTimeout(() => emulator.kill(), 1_800_000)
	const ratios: Record<keyof typeof BOUNDS, number> = {
		bytesToChanges: 0,
		shipToTable: 0,
		restoreToParts: 0,
		drainToDiff: 0,
		drainToKept: 0,
	}
	let singleDrainToKept = 0
	let rss = 0
	try {
		const [{ port }] = (await once(emulator, 'message')) as [{ port: number }]
		const repo = join(scratch, 'repo')
		const script = fileURLToPath(new URL('./chain-job.ts', import.meta.url))
		const job = async (name: ChainJob['name'], more: Partial<ChainJob> = {}): Promise<Done> => {
			const text = JSON.stringify({ name, connection: `grpc://127.0.0.1:${port}/local`, repo, rows, ...more })
			const { stdout } = await promisify(execFile)(process.execPath, [script, text], { timeout: 900_000 })
			const done = JSON.parse(stdout) as Done
			rss = Math.max(rss, done.rss ?? 0)
			return done
		}
		const run = fileURLToPath(new URL('../../../apps/cli/bin/run.js', import.meta.url))
		await promisify(execFile)(process.execPath, [run, 'repo', 'init', '--repo', repo])
		await job('load')
		say(`${rows.toLocaleString('en')} rows, ${LINKS} links of ${(rows / 100).toLocaleString('en')} changes`)
		for (const collection of ['big', 'small'] as const) {
			await job('link', { collection, kind: 'full' })
			await job('ship', { collection })
		}
		const base = await job('backup', { paths: ['bench/big'] })
		const kept: Done[] = []
		let beforeLast = base
		const ships = { big: [] as Done[], small: [] as Done[] }
		for (let round = 1; round <= LINKS; round++) {
			// Copies are of the link before the last; an increment takes the one away that it was compared with.
			const copies = round === LINKS ? repeats : 0
			if (round === LINKS) beforeLast = await job('backup', { paths: ['bench/big'] })
			while (kept.length < copies) kept.push(await job('backup', { paths: ['bench/big'], keepCopy: true }))
			await job('change', { round })
			for (const collection of ['big', 'small'] as const) {
				await job('link', { collection, kind: 'incremental' })
				ships[collection].push(await job('ship', { collection }))
			}
		}
		const cpu = (all: readonly Cost[]): number => median(all.map((each) => each.cpu))
		ratios.shipToTable = cpu(ships.big) / cpu(ships.small)
		const changed = await job('backup', { paths: ['bench/changed'] })
		ratios.bytesToChanges = median(ships.big.map(({ storedBytes }) => storedBytes)) / (changed.storedBytes / LINKS)
		const costs = {
			full: [] as Done[],
			changes: [] as Done[],
			last: [] as Done[],
			diff: [] as Done[],
			drain: [] as Done[],
			drainBoth: [] as Done[],
			keptDiff: [] as Done[],
		}
		for (let repeat = 1; repeat <= repeats; repeat++) {
			costs.full.push(await job('restore', { id: base.id, to: `full-${repeat}` }))
			costs.changes.push(await job('restore', { id: changed.id, to: `changes-${repeat}` }))
			costs.last.push(await job('restore', { id: ships.big.at(-1)!.id, to: `last-${repeat}` }))
			costs.drain.push(await job('drain'))
			costs.diff.push(await job('backup', { parent: beforeLast.id }))
			const { id, keptCopy } = kept[repeat - 1]!
			costs.drainBoth.push(await job('drain', { copy: keptCopy! }))
			costs.keptDiff.push(await job('backup', { parent: id }))
		}
		ratios.restoreToParts = cpu(costs.last) / (cpu(costs.full) + 1.5 * cpu(costs.changes))
		const wall = (all: readonly Cost[]): number => median(all.map((each) => each.wall))
		ratios.drainToDiff = wall(costs.drain) / wall(costs.diff)
		ratios.drainToKept = wall(costs.drainBoth) / wall(costs.keptDiff)
		singleDrainToKept = wall(costs.drain) / wall(costs.keptDiff)
		for (const name of ['full', 'changes', 'last'] as const)
			say(`       ${name.padEnd(16)} ${costs[name].map((cost) => cost.cpu.toFixed(2)).join(' ')} CPU s`)
		for (const name of ['drain', 'diff', 'drainBoth', 'keptDiff'] as const)
			say(`       ${name.padEnd(16)} ${costs[name].map((cost) => cost.wall.toFixed(2)).join(' ')} s`)
	} finally {
		clearTimeout(limit)
		emulator.kill()
		await rm(scratch, { recursive: true, force: true })
	}
	let missed = rss > MAX_RSS_MIB
	for (const [name, bound] of Object.entries(BOUNDS)) {
		const value = ratios[name as keyof typeof BOUNDS]
		const isKept = 'atMost' in bound ? value <= bound.atMost : value >= bound.atLeast
		missed ||= !isKept
		const spelled = 'atMost' in bound ? `≤ ${bound.atMost}` : `≥ ${bound.atLeast}`
		say(`${isKept ? 'ok    ' : 'MISSED'} ${name.padEnd(16)} ${value.toFixed(2)} (${spelled})  ${bound.means}`)
	}
	say(`       singleDrainToKept ${singleDrainToKept.toFixed(2)} (no bound)  the same with a drain of the table alone`)
	say(`${rss > MAX_RSS_MIB ? 'MISSED' : 'ok    '} peakRssMiB       ${rss.toFixed(0)} (≤ ${MAX_RSS_MIB})`)
	if (json)
		console.log(JSON.stringify({ bench: 'chain', rows, links: LINKS, ratios, singleDrainToKept, rss, bounds: BOUNDS }))
	// A smoke run is too small to judge by: it proves that everything runs.
	if (missed && !smoke) process.exitCode = 1
}
