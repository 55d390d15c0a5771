import { fromBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Driver } from '@ydbjs/core'
import { CreateSessionResultSchema, ReadTableResponseSchema, TableServiceDefinition } from '@ydbjs/api/table'
import type { DecodedRows } from './naive.ts'

const asIs = (bytes: Uint8Array): Uint8Array => bytes
const RawTableService = {
	createSession: TableServiceDefinition.createSession,
	deleteSession: TableServiceDefinition.deleteSession,
	streamReadTable: { ...TableServiceDefinition.streamReadTable, responseDeserialize: asIs },
} as const

async function withReader(
	connection: string,
	work: (read: (path: string, columns: string[], rowLimit?: number) => AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
	const driver = new Driver(connection, {
		'ydb.sdk.enable_discovery': false,
		channelOptions: { 'grpc-node.flow_control_window': 8 << 20, 'grpc.max_receive_message_length': 256 << 20 },
	})
	try {
		await driver.ready(AbortSignal.timeout(10_000))
		const client = driver.createClient(RawTableService)
		const { operation } = await client.createSession({})
		const { sessionId } = anyUnpack(operation!.result!, CreateSessionResultSchema)!
		const database = new URL(connection).pathname
		await work((path, columns, rowLimit = 0) =>
			client.streamReadTable({
				sessionId,
				path: `${database}/${path}`,
				columns,
				ordered: true,
				rowLimit: BigInt(rowLimit),
				batchLimitBytes: 256n << 10n,
			}),
		)
		await client.deleteSession({ sessionId })
	} finally {
		driver.close()
	}
}

/** Reads whole tables and throws the bytes away: the least that any reader must do. Returns bytes of messages. */
export async function drain(
	connection: string,
	tables: readonly { path: string; columns: string[] }[],
): Promise<number> {
	let total = 0
	await withReader(connection, async (read) => {
		const one = async ({ path, columns }: { path: string; columns: string[] }): Promise<void> => {
			for await (const message of read(path, columns)) total += message.length
		}
		await Promise.all(tables.map(one))
	})
	return total
}

/** Reads rows as the SDK's transport gives them: decoded to objects. */
export async function readObjects(
	connection: string,
	table: { path: string; columns: string[]; rowLimit: number },
	onRows: (decoded: DecodedRows) => Promise<void> | void,
): Promise<number> {
	let total = 0
	await withReader(connection, async (read) => {
		let columns: DecodedRows['columns'] = []
		for await (const message of read(table.path, table.columns, table.rowLimit)) {
			total += message.length
			const { result } = fromBinary(ReadTableResponseSchema, message)
			// Later messages of a stream may leave the columns out.
			if (result?.resultSet && result.resultSet.columns.length > 0) columns = result.resultSet.columns
			await onRows({ columns, rows: result?.resultSet?.rows ?? [] })
		}
	})
	return total
}
