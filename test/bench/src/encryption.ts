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
import type { Job } from './job.ts'
import { type Cost, measure, median } from './measure.ts'

const BOUND = 0.35
const MAX_RSS_MIB = 300
const ALGORITHMS = ['aes-128-gcm', 'aes-256-gcm', 'chacha20-poly1305'] as const

type Measured = Cost & { readonly storedBytes: number; readonly rss: number }

/** CPU seconds for each GB, of the cipher alone. */
async function kernel(name: string): Promise<number> {
	const algorithm: EncryptionAlgorithm = encryption.parseAlgorithm(name)
	const key = encryption.createEncryptionKey(randomBytes(algorithm === 'AES-128-GCM' ? 16 : 32), 'the bench')
	const block = randomBytes(1 << 20)
	async function* blocks(count: number): AsyncGenerator<Uint8Array> {
		for (let at = 0; at < count; at++) yield block
	}
	async function drain(count: number): Promise<number> {
		const file = { key, algorithm, iv: encryption.newExportIv(), name }
		let bytes = 0
		for await (const piece of encryption.createFileEncryptor(file).encrypt(blocks(count))) bytes += piece.length
		return bytes
	}
	await drain(64)
	let bytes = 0
	const { cpu } = await measure(async () => (bytes = await drain(512)))
	return cpu / (bytes / 1e9)
}

export async function encryptionBench(flags: { smoke: boolean; json: boolean; rounds: string }): Promise<void> {
	const totalBytes = flags.smoke ? 24e6 : 520e6
	const rounds = flags.smoke ? 1 : Number(flags.rounds)
	const say = (text: string): void => void process.stderr.write(`${text}\n`)
	const scratch = await mkdtemp(join(tmpdir(), 'ydbackup-bench-'))
	const emulator = fork(fileURLToPath(new URL('./emulator-process.ts', import.meta.url)), { stdio: 'inherit' })
	const limit = setTimeout(() => emulator.kill(), 1_800_000)
	/** CPU seconds of each round. */
	const costs: Record<string, number[]> = {}
	const stored: Record<string, number> = {}
	const alone: Record<string, number[]> = {}
	let rss = 0
	try {
		const [{ port }] = (await once(emulator, 'message')) as [{ port: number }]
		const repo = join(scratch, 'repo')
		const job = async <T>(name: Job['name'], more: Partial<Job> = {}): Promise<T> => {
			const text = JSON.stringify({ name, connection: `grpc://127.0.0.1:${port}/local`, totalBytes, repo, ...more })
			const script = fileURLToPath(new URL('./job.ts', import.meta.url))
			const { stdout } = await promisify(execFile)(process.execPath, [script, text], { timeout: 900_000 })
			return JSON.parse(stdout) as T
		}
		await job('load')
		const run = fileURLToPath(new URL('../../../apps/cli/bin/run.js', import.meta.url))
		await promisify(execFile)(process.execPath, [run, 'repo', 'init', '--repo', repo])
		for (let round = 1; round <= rounds; round++) {
			for (const compression of ['zstd-1', 'none'] as const) {
				for (const name of ['open', ...ALGORITHMS]) {
					const by = name === 'open' ? {} : { encryption: name }
					const { cpu, storedBytes, rss: peak } = await job<Measured>('backup', { compression, ...by })
					;(costs[`${compression} ${name}`] ??= []).push(cpu)
					stored[compression] = storedBytes
					rss = Math.max(rss, peak)
					say(
						`round ${round}, ${compression}, ${name}: ${cpu.toFixed(2)} s, ${(storedBytes / 1e6).toFixed(0)} MB stored`,
					)
				}
			}
			for (const name of ALGORITHMS) (alone[name] ??= []).push(await kernel(name))
		}
	} finally {
		clearTimeout(limit)
		emulator.kill()
		await rm(scratch, { recursive: true, force: true })
	}
	const result: Record<string, number> = {}
	for (const name of ALGORITHMS) {
		result[`cipher alone ${name}`] = median(alone[name]!)
		for (const compression of ['zstd-1', 'none']) {
			const more = median(costs[`${compression} ${name}`]!) - median(costs[`${compression} open`]!)
			result[`${compression} ${name}`] = more / (stored[compression]! / 1e9)
		}
	}
	let isMissed = rss > MAX_RSS_MIB
	for (const [name, value] of Object.entries(result)) {
		// Without compression an open backup's stored bytes are its plain bytes, hashed once; an encrypted one's are hashed twice.
		const isBound = !name.startsWith('none')
		isMissed ||= isBound && value > BOUND
		const mark = !isBound ? '      ' : value > BOUND ? 'MISSED' : 'ok    '
		say(`${mark} ${name.padEnd(32)} ${value.toFixed(3)} CPU s per stored GB${isBound ? ` (≤ ${BOUND})` : ''}`)
	}
	say(`peak RSS ${rss.toFixed(0)} MiB (≤ ${MAX_RSS_MIB})`)
	if (flags.json) console.log(JSON.stringify({ bench: 'encryption', added: result, peakRssMiB: Math.round(rss) }))
	if (isMissed && !flags.smoke) process.exitCode = 1
}
