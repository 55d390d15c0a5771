import { type Emulator, type EmulatorOptions, startEmulator } from '@ydbackup/emulator'
import type { RowChunk, SnapshotSink, SourceObject } from '@ydbackup/core'
import { connect, type ConnectOptions, type Ydb } from '../../src/index.ts'
import { type Proxy, startProxy } from './proxy.ts'
import { chunkOf, PLAIN, plainRows, schemeOf, splitAt } from './tables.ts'

export interface World extends AsyncDisposable {
	readonly emulator: Emulator
	readonly proxy: Proxy
	/** Connected through the proxy. */
	readonly ydb: Ydb
	/** Connected past the proxy. */
	readonly direct: Ydb
}

/** An emulator, and a connection to it that goes through a proxy. */
export async function startWorld(options: EmulatorOptions = {}, more: Partial<ConnectOptions> = {}): Promise<World> {
	const emulator = await startEmulator(options)
	const proxy = await startProxy(emulator.port)
	const to = (port: number): Promise<Ydb> =>
		connect({
			endpoint: `grpc://127.0.0.1:${port}`,
			database: emulator.database,
			credentials: { kind: 'anonymous' },
			...more,
		})
	const [ydb, direct] = await Promise.all([to(proxy.port), to(emulator.port)])
	return {
		emulator,
		proxy,
		ydb,
		direct,
		async [Symbol.asyncDispose]() {
			await Promise.all([ydb.close(), direct.close()])
			await proxy[Symbol.asyncDispose]()
			await emulator.close()
		},
	}
}

/** A table of numbers and texts with the keys 0 to before `rows`. */
export async function makeTable(
	sink: SnapshotSink,
	path: string,
	rows: number,
	splits: readonly number[] = [],
	value?: (id: number) => string,
): Promise<void> {
	await sink.createTable(path, schemeOf({ ...PLAIN, ...(splits.length > 0 && { partitions: splitAt(...splits) }) }))
	if (rows === 0) return
	const writer = await sink.openWriter(path, (await sink.describeTable(path)).schema)
	await writer.write(chunkOf(plainRows(0, rows, value)))
	await writer.finish()
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
	const all: T[] = []
	for await (const item of items) all.push(item)
	return all
}

export async function listed(objects: AsyncIterable<SourceObject>): Promise<string[]> {
	return (await collect(objects)).map(({ path }) => path)
}

/** All bytes and the number of rows of chunks. */
export async function drained(
	chunks: AsyncIterable<RowChunk>,
): Promise<{ readonly bytes: Buffer; readonly rows: number; readonly chunks: number }> {
	const all: Buffer[] = []
	let rows = 0
	for await (const chunk of chunks) {
		all.push(Buffer.from(chunk.bytes))
		rows += chunk.rows
	}
	return { bytes: Buffer.concat(all), rows, chunks: all.length }
}
