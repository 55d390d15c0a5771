// npm run bench -- encryption [--smoke] [--rounds N] [--json]: what encryption adds to a backup.
import { execFile, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { encryption, type EncryptionAlgorithm } from '@ydbackup/format'
import { releaseBytes } from '@ydbackup/rows'
import type { EncryptionCosts, EncryptionJob } from './encryption-job.ts'
import { measure, median } from './measure.ts'

const BOUND = 0.35
const MAX_RSS_MIB = 300
const ALGORITHMS = ['aes-128-gcm', 'aes-256-gcm', 'chacha20-poly1305'] as const

/** As large as zstd leaves the frames of a backup. */
const FRAME_BYTES = 512 << 10

/** CPU seconds for each GB of what an encrypted backup does and an open one does not. */
async function sealing(name: string): Promise<number> {
	const algorithm: EncryptionAlgorithm = encryption.parseAlgorithm(name)
	const key = encryption.createEncryptionKey(randomBytes(algorithm === 'AES-128-GCM' ? 16 : 32), 'the bench')
	const block = randomBytes(FRAME_BYTES)
	function drain(count: number): number {
		const file = encryption.createFileEncryptor({ key, algorithm, iv: encryption.newExportIv(), name }).begin()
		let bytes = 0
		for (let at = 0; at < count; at++) {
			for (const piece of file.block(block)) {
				bytes += piece.length
				releaseBytes(piece)
			}
		}
		return bytes + file.end().length
	}
	drain(64)
	let bytes = 0
	const { cpu } = await measure(async () => (bytes = drain(1024)))
	return cpu / (bytes / 1e9)
}

export async function encryptionBench(flags: { smoke: boolean; json: boolean; rounds: string }): Promise<void> {
	const totalBytes = flags.smoke ? 24e6 : 600e6
	const rounds = flags.smoke ? 1 : Number(flags.rounds)
	const say = (text: string): void => void process.stderr.write(`${text}\n`)
	const scratch = await mkdtemp(join(tmpdir(), 'ydbackup-bench-'))
	const emulator = fork(fileURLToPath(new URL('./emulator-process.ts', import.meta.url)), { stdio: 'inherit' })
	const limit = setTimeout(() => emulator.kill(), 1_800_000)
	let whole: EncryptionCosts | undefined
	let rss = 0
	const alone: Record<string, number[]> = {}
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
		const job: EncryptionJob = { connection, repo, rounds, algorithms: ALGORITHMS }
		whole = JSON.parse(await start('./encryption-job.ts', job)) as EncryptionCosts
		const one = { name: 'backup', connection, totalBytes, repo, encryption: 'chacha20-poly1305' }
		rss = (JSON.parse(await start('./job.ts', one)) as { rss: number }).rss
		for (let round = 1; round <= rounds; round++)
			for (const name of ALGORITHMS) (alone[name] ??= []).push(await sealing(name))
	} finally {
		clearTimeout(limit)
		emulator.kill()
		await rm(scratch, { recursive: true, force: true })
	}
	const { costs, storedBytes } = whole
	const result: Record<string, number> = {}
	let isMissed = rss > MAX_RSS_MIB
	for (const name of ALGORITHMS) {
		const differences = costs[name]!.map((cpu, round) => (cpu - costs['open']![round]!) / (storedBytes / 1e9))
		const value = median(differences)
		result[name] = value
		isMissed ||= value > BOUND
		const [least, most] = [Math.min(...differences), Math.max(...differences)].map((each) => each.toFixed(2))
		const beside = `from ${least} to ${most}; sealing alone ${median(alone[name]!).toFixed(2)}`
		const mark = value > BOUND ? 'MISSED' : 'ok    '
		say(`${mark} ${name.padEnd(18)} ${value.toFixed(3)} CPU s per stored GB (≤ ${BOUND}); ${beside}`)
	}
	say(`peak RSS of one backup ${rss.toFixed(0)} MiB (≤ ${MAX_RSS_MIB})`)
	if (flags.json) console.log(JSON.stringify({ bench: 'encryption', added: result, peakRssMiB: Math.round(rss) }))
	if (isMissed && !flags.smoke) process.exitCode = 1
}
