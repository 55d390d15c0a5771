// npm run bench -- cluster [--smoke] [--rounds N] [--json]: what an export by the cluster costs the tool, and what a bridge passes.
import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ClusterJob } from './cluster-job.ts'
import { type Cost, median } from './measure.ts'
import type { StorePlace } from './store-process.ts'
import type { UploadJob } from './upload-job.ts'

const BOUNDS = { cpuSeconds: 2, throughput: 0.7, rssMiB: 300 } as const
const PART = 8 << 20
const LIMIT_MS = 1_800_000

type Measured = Cost & { readonly rss: number }

const script = (name: string): string => fileURLToPath(new URL(`./${name}`, import.meta.url))

async function run<T>(name: string, job: object): Promise<T> {
	const { stdout } = await promisify(execFile)(process.execPath, [script(name), JSON.stringify(job)], {
		timeout: LIMIT_MS,
	})
	return JSON.parse(stdout) as T
}

export async function clusterBench(flags: { smoke: boolean; json: boolean; rounds: string }): Promise<void> {
	const say = (text: string): void => void process.stderr.write(`${text}\n`)
	const rounds = flags.smoke ? 1 : Math.min(3, Number(flags.rounds))
	const sizes = flags.smoke ? { objects: 2, objectBytes: 20 << 20 } : { objects: 4, objectBytes: 128 << 20 }
	const totalBytes = flags.smoke ? 8e6 : 1e9
	const scratch = await mkdtemp(join(tmpdir(), 'ydbackup-bench-'))
	const children: ChildProcess[] = []
	const start = async <T>(
		name: string,
		...words: string[]
	): Promise<{ readonly child: ChildProcess; readonly said: T }> => {
		const child = fork(script(name), words, { stdio: 'inherit' })
		children.push(child)
		const [said] = (await once(child, 'message')) as [T]
		return { child, said }
	}
	const limit = setTimeout(() => children.forEach((child) => child.kill()), LIMIT_MS)
	const ratios: number[] = []
	let bridgeRss = 0
	try {
		for (let round = 1; round <= rounds; round++) {
			const bare = await start<StorePlace>('store-process.ts', 's3')
			const bridge = await start<StorePlace>('store-process.ts', 'bridge', join(scratch, String(round)))
			const upload = (place: StorePlace): Promise<Measured> => {
				const job: UploadJob = { place, ...sizes, partBytes: PART }
				return run<Measured>('upload-job.ts', job)
			}
			const [direct, bridged] = [await upload(bare.said), await upload(bridge.said)]
			ratios.push(direct.wall / bridged.wall)
			bridge.child.send('cost')
			const [{ rss }] = (await once(bridge.child, 'message')) as [{ rss: number }]
			bridgeRss = Math.max(bridgeRss, rss)
			const bytes = sizes.objects * sizes.objectBytes
			const speed = ({ wall }: Measured): string => `${(bytes / 1e6 / wall).toFixed(0)} MB/s`
			say(
				`round ${round}: SDK to S3 ${speed(direct)}, SDK to the bridge ${speed(bridged)}, bridge ${rss.toFixed(0)} MiB`,
			)
			for (const { child } of [bare, bridge]) child.kill()
		}
		const emulator = await start<{ port: number }>('emulator-process.ts')
		const store = await start<StorePlace>('store-process.ts', 's3')
		const endpoint = `grpc://127.0.0.1:${emulator.said.port}`
		await run('job.ts', { name: 'load', connection: `${endpoint}/local`, totalBytes, repo: join(scratch, 'none') })
		const job: ClusterJob = { place: store.said, endpoint, database: '/local' }
		const { cpu, wall, storedBytes, rss } = await run<Measured & { readonly storedBytes: number }>(
			'cluster-job.ts',
			job,
		)
		const lines = [
			{
				name: "the tool's CPU",
				text: `${cpu.toFixed(2)} s while the cluster exported ${(storedBytes / 1e6).toFixed(0)} MB in ${wall.toFixed(0)} s (≤ ${BOUNDS.cpuSeconds} s)`,
				isMissed: cpu > BOUNDS.cpuSeconds,
			},
			{
				name: 'bridge ÷ bare SDK',
				text: `${median(ratios).toFixed(2)} (≥ ${BOUNDS.throughput})`,
				isMissed: median(ratios) < BOUNDS.throughput,
			},
			{
				name: 'peak RSS',
				text: `tool ${rss.toFixed(0)} MiB, bridge ${bridgeRss.toFixed(0)} MiB (≤ ${BOUNDS.rssMiB})`,
				isMissed: Math.max(rss, bridgeRss) > BOUNDS.rssMiB,
			},
		]
		for (const { name, text, isMissed } of lines) say(`${isMissed ? 'MISSED' : 'ok    '} ${name.padEnd(20)} ${text}`)
		if (flags.json) {
			const result = { cpuSeconds: cpu, storedBytes, bridgeToSdk: median(ratios), bridgeRssMiB: Math.round(bridgeRss) }
			console.log(JSON.stringify({ bench: 'cluster', ...result }))
		}
		if (lines.some(({ isMissed }) => isMissed) && !flags.smoke) process.exitCode = 1
	} finally {
		clearTimeout(limit)
		for (const child of children) child.kill()
		await rm(scratch, { recursive: true, force: true })
	}
}
