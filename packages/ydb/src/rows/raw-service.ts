import { QueryServiceDefinition } from '@ydbjs/api/query'
import { TableServiceDefinition } from '@ydbjs/api/table'

type Bytes = (bytes: Uint8Array) => Uint8Array
type Table = typeof TableServiceDefinition
type Query = typeof QueryServiceDefinition
type RawRequest<Method> = Omit<Method, 'requestSerialize'> & { readonly requestSerialize: Bytes }
type RawAnswer<Method> = Omit<Method, 'responseDeserialize'> & { readonly responseDeserialize: Bytes }

const asIs: Bytes = (bytes) => bytes

/** The calls that move rows, with the bytes of messages instead of messages. Sessions, headers and TLS stay with the client. */
export const RawTableService: {
	readonly createSession: Table['createSession']
	readonly deleteSession: Table['deleteSession']
	readonly bulkUpsert: RawRequest<Table['bulkUpsert']>
} = {
	createSession: TableServiceDefinition.createSession,
	deleteSession: TableServiceDefinition.deleteSession,
	bulkUpsert: { ...TableServiceDefinition.bulkUpsert, requestSerialize: asIs },
}

interface BytesAsMessage {
	encode(bytes: Uint8Array): { finish(): Uint8Array }
	readonly decode: Bytes
}

const bytesAsMessage: BytesAsMessage = { encode: (bytes) => ({ finish: () => bytes }), decode: asIs }

/** The stream of a table's rows. Said in this form, and not in the one of the others, the client does not copy every message. */
export const RowStreamService: {
	readonly name: string
	readonly fullName: string
	readonly methods: {
		readonly streamReadTable: {
			readonly name: string
			readonly requestType: BytesAsMessage
			readonly requestStream: false
			readonly responseType: BytesAsMessage
			readonly responseStream: true
			readonly options: object
		}
	}
} = {
	name: 'TableService',
	fullName: 'Ydb.Table.V1.TableService',
	methods: {
		streamReadTable: {
			name: 'StreamReadTable',
			requestType: bytesAsMessage,
			requestStream: false,
			responseType: bytesAsMessage,
			responseStream: true,
			options: {},
		},
	},
}

export const RawQueryService: { readonly executeQuery: RawRequest<Query['executeQuery']> } = {
	executeQuery: { ...QueryServiceDefinition.executeQuery, requestSerialize: asIs },
}

/** Queries whose answers are taken as bytes. */
export const RowQueryService: { readonly executeQuery: RawAnswer<Query['executeQuery']> } = {
	executeQuery: { ...QueryServiceDefinition.executeQuery, responseDeserialize: asIs },
}
