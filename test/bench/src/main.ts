// npm run bench [-- storage | emulator | encryption | chain | cluster] [--smoke] [-- --json]: the ratios of ARCHITECTURE.md, measured side by side in one run.
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { stageCli } from '../../../tools/bundle/stage.ts'
import type { Job } from './job.ts'
import type { KernelCosts } from './kernels.ts'
import { type Cost, median } from './measure.ts'
import { timeCommands } from './startup.ts'

const BOUNDS = {
	backupCpuToFloor: {
		atMost: 2.0,
		means: 'CPU of a CSV + zstd-1 backup ÷ (raw drain + zstd-1 + sha256 of the CSV, each alone)',
	},
	transcodeToZstd: { atMost: 1.0, means: 'CPU of rows → CSV ÷ zstd-1 of the same CSV' },
	parseToZstd: { atMost: 1.0, means: 'CPU of CSV → rows ÷ zstd-1 of the same CSV' },
	backupWallToDrain: { atMost: 5.0, means: 'wall time of an uncompressed backup ÷ raw drain' },
	restoreCpuToFloor: {
		atMost: 1.3,
		means: 'CPU of a restore ÷ (unzstd + sha256 + parse + splice-and-send, each alone)',
	},
	sdkCpuToOurs: { atLeast: 6, means: 'CPU of the SDK path (objects, same CSV, same zstd) ÷ ours, per row byte' },
	startToNode: { atMost: 4.5, means: 'ydbackup --version ÷ node -e 0' },
	listToNode: { atMost: 8, means: 'ydbackup backup list ÷ node -e 0' },
} as const
const MAX_RSS_MIB = 300

const { values: flags, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		smoke: { type: 'boolean', default: false },
		json: { type: 'boolean', default: false },
		rounds: { type: 'string', default: '5' },
		only: { type: 'string' },
	},
})
if (positionals[0] === 'storage') {
	await (await import('./storage.ts')).storageBench(flags)
	process.exit()
}
if (positionals[0] === 'emulator') {
	await (await import('./emulator.ts')).emulatorBench(flags)
	process.exit()
}
if (positionals[0] === 'chain') {
	await (await import('./chain.ts')).chainBench(flags)
	process.exit()
}
if (positionals[0] === 'cluster') {
	await (await import('./cluster.ts')).clusterBench(flags)
	process.exit()
}
if (positionals[0] === 'encryption') {
	await (await import('./encryption.ts')).encryptionBench(flags)
	process.exit()
}
const totalBytes = flags.smoke ? 24e6 : 520e6
const rounds = flags.smoke ? 1 : Number(flags.rounds)
const say = (text: string): void => void process.stderr.write(`${text}\n`)

const bin = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const scratch = await mkdtemp(join(tmpdir(), 'ydbackup-bench-'))
const repo = join(scratch, 'repo')
const server = spawn(process.execPath, [bin('packages/emulator/bin/ydb-emulator.js'), '--port', '0'], {
	stdio: ['ignore', 'pipe', 'inherit'],
})

async function job<T>(name: Job['name'], more: Partial<Job> = {}): Promise<T> {
	const text = JSON.stringify({ name, connection, totalBytes, repo, ...more })
	const script = fileURLToPath(new URL('./job.ts', import.meta.url))
	const { stdout } = await promisify(execFile)(process.execPath, [script, text], {
		timeout: 900_000,
		maxBuffer: 1 << 20,
	})
	return JSON.parse(stdout) as T
}

const ready = Promise.withResolvers<string>()
const limit = setTimeout(() => ready.reject(new Error('the emulator is not ready after 20 s')), 20_000)
server.once('exit', (code) => ready.reject(new Error(`the emulator exited with ${code}`)))
createInterface({ input: server.stdout }).on('line', (line) => {
	const found = line.match(/grpc:\/\/\S+/)
	if (found) ready.resolve(found[0])
})
let connection = ''
try {
	connection = await ready.promise
	clearTimeout(limit)
	const { rows, bytes } = await job<{ rows: number; bytes: number }>('load')
	say(`${rows.toLocaleString('en')} rows, ${(bytes / 1e6).toFixed(0)} MB of row bytes, ${rounds} round(s)`)
	// As its package holds it: that is what users start.
	const ydbackup = await stageCli()
	await promisify(execFile)(process.execPath, [ydbackup, 'repo', 'init', '--repo', repo])

	const ratios: Record<keyof typeof BOUNDS, number[]> = {
		backupCpuToFloor: [],
		transcodeToZstd: [],
		parseToZstd: [],
		backupWallToDrain: [],
		restoreCpuToFloor: [],
		sdkCpuToOurs: [],
		startToNode: [],
		listToNode: [],
	}
	let peakRss = 0
	for (let round = 1; round <= rounds; round++) {
		const drained = await job<Cost & { bytes: number }>('drain')
		const kernels = await job<KernelCosts>('kernels')
		const packed = await job<Cost & { id: string; rss: number }>('backup')
		const plain = await job<Cost & { rss: number }>('backup', { compression: 'none' })
		const sent = await job<{ cpu: number; bytes: number }>('send', { to: `sent-${round}` })
		const restored = await job<Cost & { rss: number }>('restore', { id: packed.id, to: `restored-${round}` })
		const sdk = await job<Cost & { bytes: number }>('sdk')

		const scale = bytes / kernels.rowBytes
		const floor = drained.cpu + scale * (kernels.zstd + kernels.sha256)
		const restoreFloor = scale * (kernels.unzstd + kernels.sha256 + kernels.parse) + sent.cpu * (bytes / sent.bytes)
		ratios.backupCpuToFloor.push(packed.cpu / floor)
		ratios.transcodeToZstd.push(kernels.encode / kernels.zstd)
		ratios.parseToZstd.push(kernels.parse / kernels.zstd)
		ratios.backupWallToDrain.push(plain.wall / drained.wall)
		ratios.restoreCpuToFloor.push(restored.cpu / restoreFloor)
		ratios.sdkCpuToOurs.push(sdk.cpu / sdk.bytes / (packed.cpu / bytes))
		peakRss = Math.max(peakRss, packed.rss, plain.rss, restored.rss)
		const per = (cpu: number): string => `${(cpu / (bytes / 1e9)).toFixed(2)}`
		say(
			`round ${round}, CPU s per GB of row bytes: drain ${per(drained.cpu)}, encode ${per(kernels.encode * scale)}, zstd ${per(kernels.zstd * scale)}, ` +
				`sha256 ${per(kernels.sha256 * scale)}, row hash ${per(kernels.rowHash * scale)}, backup ${per(packed.cpu)} (${(bytes / 1e6 / packed.wall).toFixed(0)} MB/s), ` +
				`unzstd ${per(kernels.unzstd * scale)}, parse ${per(kernels.parse * scale)}, send ${per(sent.cpu * (bytes / sent.bytes))}, restore ${per(restored.cpu)} (${(bytes / 1e6 / restored.wall).toFixed(0)} MB/s), sdk ${per(sdk.cpu * (bytes / sdk.bytes))}`,
		)
	}
	const node = process.execPath
	const list = [node, ydbackup, 'backup', 'list', '--repo', repo]
	const times = timeCommands(
		{ node: [node, '-e', '0'], start: [node, ydbackup, '--version'], list },
		flags.smoke ? 5 : 15,
	)
	ratios.startToNode.push(times['start']! / times['node']!)
	ratios.listToNode.push(times['list']! / times['node']!)

	const result = Object.fromEntries(Object.entries(ratios).map(([name, all]) => [name, Number(median(all).toFixed(2))]))
	const missed: string[] = []
	for (const [name, bound] of Object.entries(BOUNDS)) {
		const value = result[name]!
		const met = 'atMost' in bound ? value <= bound.atMost : value >= bound.atLeast
		if (!met) missed.push(name)
		say(
			`${met ? 'ok    ' : 'MISSED'} ${name.padEnd(18)} ${String(value).padStart(6)} (${'atMost' in bound ? `≤ ${bound.atMost}` : `≥ ${bound.atLeast}`})  ${bound.means}`,
		)
	}
	if (peakRss > MAX_RSS_MIB) missed.push('peakRssMiB')
	say(
		`${peakRss > MAX_RSS_MIB ? 'MISSED' : 'ok    '} peakRssMiB         ${peakRss.toFixed(0).padStart(6)} (≤ ${MAX_RSS_MIB})`,
	)
	const report = { bench: 'backup', rows, bytes, ratios: result, peakRssMiB: Math.round(peakRss) }
	if (flags.json) console.log(JSON.stringify(report))
	// A smoke run is too small to judge by: it proves that everything runs.
	if (missed.length > 0 && !flags.smoke) process.exitCode = 1
} finally {
	server.kill('SIGKILL')
	await rm(scratch, { recursive: true, force: true })
}
