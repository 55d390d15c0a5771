// npm run bench -- emulator [--smoke] [--json]: the emulator's own figures, each against its bound.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { create, toBinary } from '@bufbuild/protobuf'
import { ListDirectoryRequestSchema, SchemeServiceDefinition as Scheme } from '@ydbjs/api/scheme'
import { DescribeTableRequestSchema, ReadTableRequestSchema, TableServiceDefinition as Table } from '@ydbjs/api/table'
import { checked, createTable, ROW_BYTES, upsertOf } from './emulator-rows.ts'
import { openWire, type WireClient } from './wire-client.ts'

const BOUNDS = {
	bulkRowsPerSecond: { atLeast: 120_000, means: 'rows of 200 bytes per second, in key order, kept on the disk' },
	residentGiB: { atMost: 3.75, means: 'GiB that the emulator held at most with 10 million of them' },
	readMBPerSecond: { atLeast: 300, means: 'MB per second of StreamReadTable to another process' },
	readCpuPerGB: { atMost: 0.6, means: 'CPU s of the emulator per GB of it' },
	startSecondsPerGB: { atMost: 8, means: 'seconds of a start per GB of its directory' },
	randomRowsPerCpuSecond: { atLeast: 40_000, means: 'rows per CPU s, in random order, kept on the disk' },
	tablesGrowth: { atMost: 6, means: 'time to list and describe 4 times as many tables ÷ time for a quarter of them' },
} as const

interface Usage {
	readonly cpu: number
	readonly rssMiB: number
	readonly peakMiB: number
}

class Running {
	readonly #child: ChildProcess
	readonly wire: WireClient

	private constructor(child: ChildProcess, wire: WireClient) {
		this.#child = child
		this.wire = wire
	}

	static async start(children: Set<ChildProcess>, dataDir = ''): Promise<Running> {
		const child = fork(fileURLToPath(new URL('./emulator-process.ts', import.meta.url)), [dataDir])
		children.add(child)
		const ended = once(child, 'exit').then(() => Promise.reject(new Error('the emulator ended before it listened')))
		const ready = once(child, 'message', { signal: AbortSignal.timeout(120_000) })
		const [{ port }] = (await Promise.race([ready, ended])) as [{ port: number }]
		ended.catch(() => {})
		return new Running(child, await openWire(port))
	}

	async usage(): Promise<Usage> {
		const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(60_000) })
		this.#child.send('usage')
		return ((await answer) as [Usage])[0]
	}

	async stop(): Promise<void> {
		this.wire.close()
		const exited = once(this.#child, 'exit', { signal: AbortSignal.timeout(60_000) })
		this.#child.send('close')
		await exited
	}
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
	const started = performance.now()
	await work()
	return (performance.now() - started) / 1000
}

const IN_FLIGHT = 4

/** Writes rows whose keys a function gives, some requests at a time. */
async function write(
	wire: WireClient,
	path: string,
	total: number,
	perRequest: number,
	keyOf: (at: number) => bigint,
): Promise<void> {
	const build = upsertOf(path)
	let next = 0
	const worker = async (): Promise<void> => {
		while (next < total) {
			const first = next
			next = Math.min(total, next + perRequest)
			const keys = new BigUint64Array(next - first)
			for (let at = first; at < next; at++) keys[at - first] = keyOf(at)
			checked(await wire.unary(Table.bulkUpsert.path, build(keys)))
		}
	}
	await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

async function directoryBytes(path: string): Promise<number> {
	const sizes = await Promise.all((await readdir(path)).map(async (name) => (await stat(join(path, name))).size))
	return sizes.reduce((sum, size) => sum + size, 0)
}

/** Seconds to list so many tables and to describe each. */
async function describeAll(children: Set<ChildProcess>, tables: number): Promise<number> {
	const running = await Running.start(children)
	const { wire } = running
	for (let at = 0; at < tables; at += 50)
		await Promise.all(
			Array.from({ length: Math.min(50, tables - at) }, (_, more) => createTable(wire, `/local/many/t${at + more}`)),
		)
	const took = await seconds(async () => {
		const list = create(ListDirectoryRequestSchema, { path: '/local/many' })
		checked(await wire.unary(Scheme.listDirectory.path, [toBinary(ListDirectoryRequestSchema, list)]))
		for (let at = 0; at < tables; at += 20)
			await Promise.all(
				Array.from({ length: Math.min(20, tables - at) }, async (_, more) => {
					const request = create(DescribeTableRequestSchema, {
						path: `/local/many/t${at + more}`,
						includeTableStats: true,
					})
					checked(await wire.unary(Table.describeTable.path, [toBinary(DescribeTableRequestSchema, request)]))
				}),
			)
	})
	await running.stop()
	return took
}

export async function emulatorBench(flags: { readonly smoke: boolean; readonly json: boolean }): Promise<void> {
	const say = (text: string): void => void process.stderr.write(`${text}\n`)
	const rows = flags.smoke ? 40_000 : 10_000_000
	const randomRows = flags.smoke ? 10_000 : 1_000_000
	const tables = flags.smoke ? 200 : 10_000
	const directory = await mkdtemp(join(tmpdir(), 'ydb-emulator-bench-'))
	const children = new Set<ChildProcess>()
	const figures: Partial<Record<keyof typeof BOUNDS, number>> = {}
	try {
		let running = await Running.start(children, directory)
		await createTable(running.wire, '/local/t')
		const idle = await running.usage()
		figures.bulkRowsPerSecond = rows / (await seconds(() => write(running.wire, '/local/t', rows, 5000, BigInt)))
		const loaded = await running.usage()
		figures.residentGiB = loaded.peakMiB / 1024
		say(
			`loaded ${rows.toLocaleString('en')} rows, ${((loaded.cpu - idle.cpu) / (rows / 1e6)).toFixed(2)} CPU s per million`,
		)

		await running.stop()
		const size = (await directoryBytes(directory)) / 1e9
		const start = await seconds(async () => (running = await Running.start(children, directory)))
		figures.startSecondsPerGB = start / size
		say(`started with a directory of ${size.toFixed(2)} GB in ${start.toFixed(1)} s`)

		const request = create(ReadTableRequestSchema, { path: '/local/t', ordered: true, batchLimitBytes: 256n << 10n })
		let bytes = 0
		const quiet = await running.usage()
		const took = await seconds(
			async () =>
				(bytes = await running.wire.drain(Table.streamReadTable.path, toBinary(ReadTableRequestSchema, request))),
		)
		const drained = await running.usage()
		if (bytes < rows * ROW_BYTES) throw new Error(`${bytes} bytes were read of ${rows} rows`)
		figures.readMBPerSecond = bytes / 1e6 / took
		figures.readCpuPerGB = (drained.cpu - quiet.cpu) / (bytes / 1e9)

		await createTable(running.wire, '/local/random')
		// Odd, so that every key comes once; far from the order of the keys.
		const step = 0x9e37_79b9_7f4a_7c15n
		await write(running.wire, '/local/random', randomRows, 1000, (at) => BigInt.asUintN(64, BigInt(at) * step))
		const { cpu } = await running.usage()
		figures.randomRowsPerCpuSecond = randomRows / (cpu - drained.cpu)
		await running.stop()

		const few = await describeAll(children, tables / 4)
		const many = await describeAll(children, tables)
		say(`${tables} tables listed and described in ${many.toFixed(2)} s, ${tables / 4} in ${few.toFixed(2)} s`)
		figures.tablesGrowth = many / few
	} finally {
		for (const child of children) child.kill('SIGKILL')
		await rm(directory, { recursive: true, force: true })
	}
	for (const [name, bound] of Object.entries(BOUNDS)) {
		const value = figures[name as keyof typeof BOUNDS]!
		const met = 'atMost' in bound ? value <= bound.atMost : value >= bound.atLeast
		// A smoke run is too small to judge by: it proves that everything runs.
		if (!met && !flags.smoke) process.exitCode = 1
		const text = value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(2)
		const limit = 'atMost' in bound ? `≤ ${bound.atMost}` : `≥ ${bound.atLeast.toLocaleString('en')}`
		say(`${met ? 'ok    ' : 'MISSED'} ${name.padEnd(22)} ${text.padStart(10)} (${limit})  ${bound.means}`)
	}
	const rounded = Object.fromEntries(
		Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(4))]),
	)
	if (flags.json) console.log(JSON.stringify({ bench: 'emulator', smoke: flags.smoke, rows, figures: rounded }))
}
