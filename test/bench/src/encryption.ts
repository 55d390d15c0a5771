// npm run bench -- encryption [--smoke] [--rounds N] [--json]: what encryption adds to a backup.
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { EncryptionCosts, EncryptionJob } from './encryption-job.ts'
import { mean, standardError } from './measure.ts'

const BOUND = 0.35
const MAX_RSS_MIB = 300
const ALGORITHMS = ['aes-128-gcm', 'aes-256-gcm', 'chacha20-poly1305'] as const

/** Turns of one round: two runs of the same kind differ by more than what is to be found, so that many are needed. */
const TURNS = 12

export async function encryptionBench(flags: { smoke: boolean; json: boolean; rounds: string }): Promise<void> {
	const totalBytes = flags.smoke ? 24e6 : 600e6
	const rounds = flags.smoke ? 1 : Number(flags.rounds)
	const say = (text: string): void => void process.stderr.write(`${text}\n`)
	const scratch = await mkdtemp(join(tmpdir(), 'ydbackup-bench-'))
	const emulator = fork(fileURLToPath(new URL('./emulator-process.ts', import.meta.url)), { stdio: 'inherit' })
	const limit = setTimeout(() => emulator.kill(), 1_800_000)
	let done: EncryptionCosts | undefined
	let rss = 0
	try {
		const [{ port }] = (await once(emulator, 'message')) as [{ port: number }]
		const repo = join(scratch, 'repo')
		const connection = `grpc://127.0.0.1:${port}/local`
		const start = async (script: string, job: object): Promise<string> => {
			const file = fileURLToPath(new URL(script, import.meta.url))
			const { stdout } = await promisify(execFile)(process.execPath, [file, JSON.stringify(job)], { timeout: 900_000 })
			return stdout
		}
		await start('./job.ts', { name: 'load', connection, totalBytes })
		const run = fileURLToPath(new URL('../../../apps/cli/bin/run.js', import.meta.url))
		await promisify(execFile)(process.execPath, [run, 'repo', 'init', '--repo', repo])
		const one = { name: 'backup', connection, totalBytes, repo, encryption: 'chacha20-poly1305' }
		rss = (JSON.parse(await start('./job.ts', one)) as { rss: number }).rss
		emulator.kill()
		const job: EncryptionJob = { repo, turnBytes: totalBytes / 10, turns: rounds * TURNS, algorithms: ALGORITHMS }
		done = JSON.parse(await start('./encryption-job.ts', job)) as EncryptionCosts
	} finally {
		clearTimeout(limit)
		emulator.kill()
		await rm(scratch, { recursive: true, force: true })
	}
	const { costs, sealing, storedBytes } = done
	const result: Record<string, number> = {}
	let isMissed = rss > MAX_RSS_MIB
	for (const name of ALGORITHMS) {
		const differences = costs[name]!.map((cpu, turn) => (cpu - costs['open']![turn]!) / (storedBytes / 1e9))
		const value = mean(differences)
		result[name] = value
		isMissed ||= value > BOUND
		const beside = `± ${standardError(differences).toFixed(2)} of ${differences.length} turns; the sealing itself ${sealing[name]!.toFixed(2)}`
		const mark = value > BOUND ? 'MISSED' : 'ok    '
		say(`${mark} ${name.padEnd(18)} ${value.toFixed(2)} CPU s per stored GB (≤ ${BOUND}); ${beside}`)
	}
	say(`peak RSS of one backup ${rss.toFixed(0)} MiB (≤ ${MAX_RSS_MIB})`)
	if (flags.json) console.log(JSON.stringify({ bench: 'encryption', added: result, peakRssMiB: Math.round(rss) }))
	if (isMissed && !flags.smoke) process.exitCode = 1
}
