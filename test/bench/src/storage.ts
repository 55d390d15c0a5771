import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type Place, places } from '../../object-stores/src/places.ts'
import { type Cost, median } from './measure.ts'
import { rcloneSeconds, rcloneVersion } from './rclone.ts'
import type { StorageJob, StoreName } from './storage-job.ts'

const BOUNDS = { throughput: 0.85, cpu: 1.3, rssMiB: 300 } as const
/** A real store for a driver, with its credentials in the environment. */
const REAL: Partial<Record<StoreName, string | undefined>> = {
	s3: process.env['YDBACKUP_TEST_S3_URL'],
	gcs: process.env['YDBACKUP_TEST_GCS_URL'],
	azure: process.env['YDBACKUP_TEST_AZURE_URL'],
}

interface Options {
	readonly smoke: boolean
	readonly json: boolean
	readonly rounds: string
	/** Only these stores. */
	readonly only?: string | undefined
}

type Measured = Cost & { readonly rss: number }

interface Line {
	readonly store: string
	readonly server: string
	readonly work: string
	/** Driver ÷ bare SDK. */
	readonly throughput: number
	/** CPU of the client, driver ÷ bare SDK. */
	readonly cpu: number
	readonly mbPerSecond: number
	readonly opsPerSecond: number
	readonly rssMiB: number
	/** The same with a single object, to see that memory does not grow with their number. */
	readonly rssOfOneMiB?: number
	/** Driver ÷ rclone, for S3 where rclone is installed; nothing is judged by it. */
	readonly besideRclone?: number
	readonly missed: readonly string[]
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)

async function place(store: StoreName): Promise<Place & { readonly server: string }> {
	const real = REAL[store]
	if (real)
		return { url: real, env: {}, secrets: [], server: 'given by the environment', async [Symbol.asyncDispose]() {} }
	if (store === 'fs') {
		const path = await mkdtemp(join(tmpdir(), 'ydbackup-bench-'))
		const url = pathToFileURL(`${path}/`).href
		const remove = (): Promise<void> => rm(path, { recursive: true, force: true })
		return { url, env: {}, secrets: [], server: 'local disk', [Symbol.asyncDispose]: remove }
	}
	const opened = await places[store]()
	const server = store === 'azure' ? 'Azurite' : 'our strict server'
	return { ...opened, server, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() }
}

async function run(job: StorageJob, env: Readonly<Record<string, string>>): Promise<Measured> {
	const script = fileURLToPath(new URL('./storage-job.ts', import.meta.url))
	const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(job)], {
		env: { ...process.env, ...env },
		timeout: 900_000,
	})
	return JSON.parse(stdout) as Measured
}

/** npm run bench -- storage: puts and gets by each driver, in turns with its bare SDK doing the same on the same server. */
export async function storageBench({ smoke, json, rounds: asked, only }: Options): Promise<void> {
	const rounds = smoke ? 1 : Math.min(3, Number(asked))
	const large = smoke ? { objects: 2, objectBytes: 20 << 20 } : { objects: 16, objectBytes: 64 << 20 }
	const small = smoke ? { objects: 50, objectBytes: 4096 } : { objects: 5000, objectBytes: 4096 }
	const lines: Line[] = []
	// Our own server takes no unsigned payloads from strangers: only beside a real one.
	const rclone = REAL.s3 === undefined ? undefined : await rcloneVersion()
	for (const store of ['fs', 's3', 'gcs', 'azure'] as const) {
		if (only !== undefined && !only.split(',').includes(store)) continue
		await using where = await place(store)
		for (const [size, amount, inFlight] of [
			['large', large, 1],
			['small', small, 16],
		] as const) {
			for (const what of ['put', 'get'] as const) {
				const job = (how: 'driver' | 'sdk', more: Partial<StorageJob> = {}): Promise<Measured> =>
					run({ store, how, what, url: where.url, ...amount, inFlight, ...more }, where.env)
				const ours: Measured[] = []
				const theirs: Measured[] = []
				for (let round = 0; round < rounds; round++) {
					// Who comes first meets a colder server: in turns.
					const isOursFirst = round % 2 === 0
					if (isOursFirst) ours.push(await job('driver'))
					theirs.push(await job('sdk'))
					if (!isOursFirst) ours.push(await job('driver'))
				}
				const one = size === 'large' ? await job('driver', { objects: 1 }) : undefined
				const line = lineOf(`${size} ${what}`, store, where.server, amount, { ours, theirs, one })
				const besideRclone: number[] = []
				if (store === 's3' && rclone !== undefined)
					for (const { wall } of ours)
						besideRclone.push((await rcloneSeconds({ url: where.url, what, ...amount, inFlight })) / wall)
				lines.push({
					...line,
					...(besideRclone.length > 0 && { besideRclone: Number(median(besideRclone).toFixed(2)) }),
				})
				print(lines.at(-1)!, rclone)
			}
		}
	}
	if (json) console.log(JSON.stringify({ bench: 'storage', large, small, rounds, bounds: BOUNDS, lines }))
	// A smoke run is too small to judge by: it proves that everything runs.
	if (!smoke && lines.some(({ missed }) => missed.length > 0)) process.exitCode = 1
}

function lineOf(
	work: string,
	store: string,
	server: string,
	{ objects, objectBytes }: { readonly objects: number; readonly objectBytes: number },
	{ ours, theirs, one }: { ours: Measured[]; theirs: Measured[]; one: Measured | undefined },
): Line {
	const of = (all: Measured[], what: keyof Measured): number => median(all.map((each) => each[what]))
	const throughput = of(theirs, 'wall') / of(ours, 'wall')
	const cpu = of(ours, 'cpu') / of(theirs, 'cpu')
	const rss = of(ours, 'rss')
	const missed: string[] = []
	if (throughput < BOUNDS.throughput) missed.push('throughput')
	if (cpu > BOUNDS.cpu) missed.push('cpu')
	if (rss > BOUNDS.rssMiB) missed.push('rss')
	const wall = of(ours, 'wall')
	const rounded = (value: number): number => Number(value.toFixed(2))
	return {
		store,
		server,
		work,
		throughput: rounded(throughput),
		cpu: rounded(cpu),
		mbPerSecond: Math.round((objects * objectBytes) / 1e6 / wall),
		opsPerSecond: Math.round(objects / wall),
		rssMiB: Math.round(rss),
		...(one && { rssOfOneMiB: Math.round(one.rss) }),
		missed,
	}
}

function print(
	{ store, server, work, throughput, cpu, mbPerSecond, opsPerSecond, rssMiB, rssOfOneMiB, besideRclone, missed }: Line,
	rclone?: string,
): void {
	const speed = work.startsWith('large') ? `${mbPerSecond} MB/s` : `${opsPerSecond} a second`
	say(
		`${missed.length > 0 ? 'MISSED' : 'ok    '} ${store.padEnd(6)}${work.padEnd(10)} throughput ${throughput.toFixed(2)} (≥ ${BOUNDS.throughput})  cpu ${cpu.toFixed(2)} (≤ ${BOUNDS.cpu})  ${speed.padEnd(14)} ${rssMiB}${rssOfOneMiB === undefined ? '' : ` (${rssOfOneMiB} for one)`} MiB  ${server}${besideRclone === undefined ? '' : `  ${besideRclone.toFixed(2)} of rclone ${rclone}`}${missed.length > 0 ? `  missed: ${missed.join(', ')}` : ''}`,
	)
}
