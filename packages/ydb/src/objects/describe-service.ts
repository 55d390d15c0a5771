import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { DescribePathResponseSchema, type DescribePathResponse } from '@ydbjs/api/scheme'
import type { Driver } from '@ydbjs/core'
import { BackupError, type CallOptions } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { mustSucceed } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import { type DescribeRequest, DescribeRequestSchema } from '../gen/ydb_objects_pb.ts'

const CALL_MS = 30_000

/** A call that the client package has not. Every response of these services has its operation in field 1: one message reads them all. */
const unary = (path: string) => ({
	path,
	requestStream: false as const,
	responseStream: false as const,
	requestSerialize: (request: DescribeRequest): Uint8Array => toBinary(DescribeRequestSchema, request),
	requestDeserialize: (bytes: Uint8Array): DescribeRequest => fromBinary(DescribeRequestSchema, bytes),
	responseSerialize: (response: DescribePathResponse): Uint8Array => toBinary(DescribePathResponseSchema, response),
	responseDeserialize: (bytes: Uint8Array): DescribePathResponse => fromBinary(DescribePathResponseSchema, bytes),
	options: {},
})

export type Described = 'view' | 'replication' | 'transfer' | 'externalDataSource' | 'externalTable'

const METHODS: Readonly<Record<Described, ReturnType<typeof unary>>> = {
	view: unary('/Ydb.View.V1.ViewService/DescribeView'),
	replication: unary('/Ydb.Replication.V1.ReplicationService/DescribeReplication'),
	transfer: unary('/Ydb.Replication.V1.ReplicationService/DescribeTransfer'),
	externalDataSource: unary('/Ydb.Table.V1.TableService/DescribeExternalDataSource'),
	externalTable: unary('/Ydb.Table.V1.TableService/DescribeExternalTable'),
}

/** Asks a service of which @ydbjs/api has no code. Errors: `UNSUPPORTED` where the server has not that call. */
export async function describeBy<D extends DescMessage>(
	driver: Driver,
	what: Described,
	path: string,
	result: D,
	{ signal }: CallOptions = {},
): Promise<MessageShape<D>> {
	const client = driver.createClient(METHODS)
	const doing = `describe ${path}`
	const request = create(DescribeRequestSchema, { path })
	return patiently({ doing, signal }, async () => {
		const answer = await bounded(signal, CALL_MS, (bound) => client[what](request, { signal: bound }))
		const { result: packed } = mustSucceed(answer, doing)
		if (!packed) throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: the answer has no result`)
		// The name in it is the server's, and so are the numbers of fields.
		return fromBinary(result, packed.value)
	})
}
