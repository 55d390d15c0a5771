// One measured piece of work in a process of its own: node job.ts '<json>'. Prints one line of JSON.
import { backup, restore } from '@ydbackup/engine'
import { compressFrame } from '@ydbackup/format'
import { connect, parseConnectionString } from '@ydbackup/ydb'
import { measureKernels } from './kernels.ts'
import { measure, peakRssMiB } from './measure.ts'
import { drain, readObjects } from './raw-client.ts'
import { openRepository } from './repository.ts'
import { benchTables } from './tables.ts'

export interface Job {
	readonly name: 'load' | 'drain' | 'backup' | 'restore' | 'send' | 'kernels' | 'sdk'
	readonly connection: string
	readonly totalBytes: number
	readonly repo?: string
	readonly id?: string
	readonly compression?: 'none' | 'zstd-1'
	readonly to?: string
	/** Encrypt the backup by this algorithm. */
	readonly encryption?: string
}

const job = JSON.parse(process.argv[2]!) as Job
/** Made only by the jobs that need rows: they would count as the tool's memory. */
const filled = (): ReturnType<typeof benchTables> => benchTables(job.totalBytes)
const tool = { name: 'bench', version: '0' }

async function withYdb<T>(work: (ydb: Awaited<ReturnType<typeof connect>>) => Promise<T>): Promise<T> {
	await using ydb = await connect({ ...parseConnectionString(job.connection), credentials: { kind: 'anonymous' } })
	return await work(ydb)
}

const jobs: Record<Job['name'], () => Promise<object>> = {
	load: () =>
		withYdb(async (ydb) => {
			const tables = filled()
			for (const { path, scheme, schema, chunks } of tables) {
				await ydb.sink.createTable(path, scheme)
				const writer = await ydb.sink.openWriter(path, schema)
				for (const chunk of chunks()) await writer.write(chunk)
				await writer.finish()
			}
			return {
				rows: tables.reduce((sum, { rows }) => sum + rows, 0),
				bytes: tables.reduce((sum, t) => sum + t.rowBytes, 0),
			}
		}),

	drain: async () => {
		const wanted = filled().map(({ path, schema }) => ({ path, columns: schema.columns.map(({ name }) => name) }))
		let bytes = 0
		const cost = await measure(async () => (bytes = await drain(job.connection, wanted)))
		return { ...cost, bytes }
	},

	backup: () =>
		withYdb(async (ydb) => {
			const repository = await openRepository(job.repo!)
			await using _ = repository.storage
			let id = ''
			let storedBytes = 0
			const key = { name: 'the bench', getKey: async () => new Uint8Array(job.encryption === 'aes-128-gcm' ? 16 : 32) }
			const cost = await measure(async () => {
				const { compression = 'zstd-1' } = job
				const signal = AbortSignal.timeout(600_000)
				const done = await backup({
					source: ydb.source,
					repository,
					paths: ['bench'],
					compression,
					encryption: job.encryption === undefined ? undefined : { keys: [key], algorithm: job.encryption },
					tool,
					signal,
					onEvent() {},
				})
				id = done.id
				storedBytes = done.storedBytes
			})
			return { ...cost, id, storedBytes, rss: peakRssMiB() }
		}),

	restore: () =>
		withYdb(async (ydb) => {
			const repository = await openRepository(job.repo!)
			await using _ = repository.storage
			const cost = await measure(async () => {
				const signal = AbortSignal.timeout(600_000)
				await restore({ sink: ydb.sink, repository, id: job.id!, to: job.to!, existing: 'fail', signal, onEvent() {} })
			})
			return { ...cost, rss: peakRssMiB() }
		}),

	send: () =>
		withYdb(async (ydb) => {
			let bytes = 0
			let cpu = 0
			for (const { path, scheme, schema, chunks } of benchTables(Math.min(job.totalBytes, 64e6))) {
				const rows = [...chunks()]
				for (const chunk of rows) bytes += chunk.bytes.length
				const target = `${job.to}/${path}`
				await ydb.sink.createTable(target, scheme)
				const cost = await measure(async () => {
					const writer = await ydb.sink.openWriter(target, schema)
					for (const chunk of rows) await writer.write(chunk)
					await writer.finish()
				})
				cpu += cost.cpu
				await ydb.sink.dropTable(target)
			}
			return { cpu, bytes }
		}),

	kernels: () => measureKernels(benchTables(Math.min(job.totalBytes, 64e6))),

	sdk: async () => {
		let bytes = 0
		// Costs a second and 200 MiB to import: only here.
		const { naiveCsv } = await import('./naive.ts')
		const tables = filled()
		const share = Math.min(1, 24e6 / job.totalBytes)
		const cost = await measure(async () => {
			for (const { path, schema, rows } of tables) {
				const table = { path, columns: schema.columns.map(({ name }) => name), rowLimit: Math.ceil(rows * share) }
				bytes += await readObjects(job.connection, table, async (found) => {
					await compressFrame(Buffer.from(naiveCsv(found)), 'zstd-1')
				})
			}
		})
		return { ...cost, bytes }
	},
}

process.stdout.write(`${JSON.stringify(await jobs[job.name]())}\n`)
