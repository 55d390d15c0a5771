// One measured piece of the life of a chain, in a process of its own: node chain-job.ts '<json>'. Prints one line of JSON.
import { create, toBinary } from '@bufbuild/protobuf'
import { ValueSchema } from '@ydbjs/api/value'
import type { RowChunk, TableSchema } from '@ydbackup/core'
import { backup, restore, shipCollection, takeLink } from '@ydbackup/engine'
import { parseProtoText, tableSchemaOf } from '@ydbackup/format'
import { chunkFromFrames, createKeyReader } from '@ydbackup/rows'
import { connect, parseConnectionString, type Ydb } from '@ydbackup/ydb'
import { measure, peakRssMiB } from './measure.ts'
import { drain } from './raw-client.ts'
import { openRepository } from './repository.ts'

export interface ChainJob {
	readonly name: 'load' | 'change' | 'link' | 'ship' | 'backup' | 'restore' | 'drain'
	readonly connection: string
	readonly repo: string
	/** Rows of the large table; the small one has a quarter of them. */
	readonly rows: number
	/** Which set of rows changes: one of a hundred of the large table, and as many of the small one. */
	readonly round?: number
	readonly collection?: 'big' | 'small'
	readonly kind?: 'full' | 'incremental'
	readonly paths?: readonly string[]
	readonly id?: string
	readonly to?: string
	readonly parent?: string
	readonly keepCopy?: boolean
	/** The work directory of the copy that is drained beside the table. */
	readonly copy?: string
}

const job = JSON.parse(process.argv[2]!) as ChainJob
const TOOL = { name: 'bench', version: '0' }
const OPTIONAL = ['UTF8', 'INT64', 'STRING'].map((type) => `type { optional_type { item { type_id: ${type} } } }`)
const SCHEME = parseProtoText(
	`columns { name: "id" type { type_id: UINT64 } not_null: true }
	${['title', 'amount', 'digest'].map((name, at) => `columns { name: "${name}" ${OPTIONAL[at]} }`).join('\n')}
	primary_key: "id"`,
	'benchmark',
)
const LETTERS = 'abcdefghijklmnopqrstuvwxyz     eaiotnsr'

/** Rows whose content depends on their number and the round. */
function* chunks(ids: Iterable<number>, round: number, schema: TableSchema): Generator<RowChunk> {
	const readKey = createKeyReader(schema)
	let state = round + 1
	const random = (most: number): number => {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
		return (state >>> 8) % most
	}
	let frames: Uint8Array[] = []
	const chunk = (): RowChunk => {
		const bytes = Buffer.concat(frames)
		const made = chunkFromFrames(bytes, frames.length, readKey)
		frames = []
		return made
	}
	for (const id of ids) {
		let title = ''
		for (let at = 0; at < 60; at++) title += LETTERS[random(LETTERS.length)]
		const digest = Uint8Array.from({ length: 16 }, () => random(256))
		const items = [
			{ value: { case: 'uint64Value' as const, value: BigInt(id) } },
			{ value: { case: 'textValue' as const, value: title } },
			{ value: { case: 'int64Value' as const, value: BigInt(random(1_000_000)) } },
			{ value: { case: 'bytesValue' as const, value: digest } },
		]
		const row = toBinary(ValueSchema, create(ValueSchema, { items }))
		const head = row.length < 128 ? [0x62, row.length] : [0x62, (row.length & 127) | 128, row.length >> 7]
		frames.push(Buffer.concat([Buffer.from(head), row]))
		if (frames.length === 5000) yield chunk()
	}
	if (frames.length > 0) yield chunk()
}

const everyOf = (count: number, step: number, first: number): number[] =>
	Array.from({ length: count }, (_, at) => at * step + first)

async function write(ydb: Ydb, path: string, ids: Iterable<number>, round: number): Promise<void> {
	const schema = tableSchemaOf(SCHEME, path)
	const writer = await ydb.sink.openWriter(path, schema)
	for (const chunk of chunks(ids, round, schema)) await writer.write(chunk)
	await writer.finish()
}

const jobs: Record<ChainJob['name'], (ydb: Ydb) => Promise<object>> = {
	async load(ydb) {
		for (const path of ['bench/big', 'bench/small', 'bench/changed']) await ydb.sink.createTable(path, SCHEME)
		await write(ydb, 'bench/big', everyOf(job.rows, 1, 0), 0)
		await write(ydb, 'bench/small', everyOf(job.rows / 4, 1, 0), 0)
		for (const name of ['big', 'small'])
			await ydb.collections.create({ name, tables: [`bench/${name}`], isIncremental: true })
		return {}
	},

	async change(ydb) {
		const { rows, round = 1 } = job
		const count = rows / 100
		await write(ydb, 'bench/big', everyOf(count, 100, round), round)
		await write(ydb, 'bench/small', everyOf(count, 25, round), round)
		await write(ydb, 'bench/changed', everyOf(count, 100, round), round)
		return {}
	},

	link: (ydb) => takeLink({ admin: ydb.collections, name: job.collection!, kind: job.kind! }),

	async ship(ydb) {
		const repository = await openRepository(job.repo)
		let last: { id?: string | undefined; storedBytes: number } | undefined
		const source = ydb.collection(job.collection!)
		const cost = await measure(async () => {
			const { links } = await shipCollection({ source, repository, tool: TOOL })
			last = links.at(-1)
		})
		return { ...cost, ...last, rss: peakRssMiB() }
	},

	async backup(ydb) {
		const repository = await openRepository(job.repo)
		let done: { id: string; storedBytes: number; keptCopy?: string | undefined } | undefined
		const cost = await measure(async () => {
			const { paths, parent, keepCopy } = job
			const what = parent === undefined ? { paths } : { parent }
			const { id, storedBytes, keptCopy } = await backup({
				source: ydb.source,
				repository,
				...what,
				keepCopy,
				compression: 'zstd-1',
				tool: TOOL,
				signal: AbortSignal.timeout(600_000),
				onEvent() {},
			})
			done = { id, storedBytes, keptCopy }
		})
		return { ...cost, ...done, rss: peakRssMiB() }
	},

	async restore(ydb) {
		const repository = await openRepository(job.repo)
		const cost = await measure(() =>
			restore({
				sink: ydb.sink,
				repository,
				id: job.id!,
				to: job.to!,
				existing: 'fail',
				signal: AbortSignal.timeout(600_000),
				onEvent() {},
			}),
		)
		return { ...cost, rss: peakRssMiB() }
	},

	async drain(ydb) {
		const columns = ['id', 'title', 'amount', 'digest']
		const tables = ['bench/big']
		if (job.copy !== undefined) tables.push(`${job.copy.slice(ydb.database.length + 1)}/00001`)
		return measure(() =>
			drain(
				job.connection,
				tables.map((path) => ({ path, columns })),
			),
		)
	},
}

await using ydb = await connect({ ...parseConnectionString(job.connection), credentials: { kind: 'anonymous' } })
process.stdout.write(`${JSON.stringify(await jobs[job.name](ydb))}\n`)
