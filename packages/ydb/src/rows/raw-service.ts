import { QueryServiceDefinition } from '@ydbjs/api/query'
import { TableServiceDefinition } from '@ydbjs/api/table'

type Bytes = (bytes: Uint8Array) => Uint8Array
type Table = typeof TableServiceDefinition
type Query = typeof QueryServiceDefinition
type RawRequest<Method> = Omit<Method, 'requestSerialize'> & { readonly requestSerialize: Bytes }
type RawAnswer<Method> = Omit<Method, 'responseDeserialize'> & { readonly responseDeserialize: Bytes }
type RawBoth<Method> = Omit<RawRequest<Method>, 'responseDeserialize'> & { readonly responseDeserialize: Bytes }

const asIs: Bytes = (bytes) => bytes

/** The calls that move rows, with the bytes of messages instead of messages. Sessions, headers and TLS stay with the client. */
export const RawTableService: {
	readonly createSession: Table['createSession']
	readonly deleteSession: Table['deleteSession']
	readonly streamReadTable: RawBoth<Table['streamReadTable']>
	readonly bulkUpsert: RawRequest<Table['bulkUpsert']>
} = {
	createSession: TableServiceDefinition.createSession,
	deleteSession: TableServiceDefinition.deleteSession,
	streamReadTable: { ...TableServiceDefinition.streamReadTable, requestSerialize: asIs, responseDeserialize: asIs },
	bulkUpsert: { ...TableServiceDefinition.bulkUpsert, requestSerialize: asIs },
}

export const RawQueryService: { readonly executeQuery: RawRequest<Query['executeQuery']> } = {
	executeQuery: { ...QueryServiceDefinition.executeQuery, requestSerialize: asIs },
}

/** Queries whose answers are taken as bytes. */
export const RowQueryService: { readonly executeQuery: RawAnswer<Query['executeQuery']> } = {
	executeQuery: { ...QueryServiceDefinition.executeQuery, responseDeserialize: asIs },
}
