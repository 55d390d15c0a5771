import { create, fromBinary } from '@bufbuild/protobuf'
import { AuthServiceDefinition as Auth } from '@ydbjs/api/auth'
import {
	DiscoveryServiceDefinition as Discovery,
	ListEndpointsResultSchema,
	WhoAmIResultSchema,
} from '@ydbjs/api/discovery'
import { ExportServiceDefinition as Export } from '@ydbjs/api/export'
import { ImportServiceDefinition as Import } from '@ydbjs/api/import'
import type { Operation } from '@ydbjs/api/operation'
import {
	DescribePathRequestSchema,
	ListDirectoryRequestSchema,
	MakeDirectoryRequestSchema,
	ModifyPermissionsRequestSchema,
	RemoveDirectoryRequestSchema,
	SchemeServiceDefinition as Scheme,
} from '@ydbjs/api/scheme'
import {
	AlterTableRequestSchema,
	CopyTableRequestSchema,
	CopyTablesRequestSchema,
	CreateTableRequestSchema,
	DescribeTableRequestSchema,
	DropTableRequestSchema,
	RenameTablesRequestSchema,
	TableServiceDefinition as TableService,
} from '@ydbjs/api/table'
import type { CollectionChange, Collections } from '../collections/collections.ts'
import { listObjects } from '../exports/listing.ts'
import type { OperationChange, StoreOperations } from '../exports/operations.ts'
import { checkShape } from '../limits.ts'
import type { Nodes } from '../nodes.ts'
import type { Accounts } from '../scheme/accounts.ts'
import { alterTable } from './alter-table.ts'
import type { Tokens } from './auth.ts'
import { type BulkContext, bulkUpsert } from './bulk-call.ts'
import type { ControlMethods } from './control.ts'
import { coordinationMethods } from './coordination.ts'
import { describeTable } from './describe-table.ts'
import { describedMethods } from './described.ts'
import { success } from './envelope.ts'
import { alterSequence, buildIndex, createObject, dropObject, OBJECT, setSequences } from './objects.ts'
import { rateLimiterMethods } from './rate-limiter.ts'
import { describePath, listDirectory, modifyPermissions } from './scheme.ts'
import { copyTables, createTable, renameTables } from './table.ts'
import { topicMethods } from './topic.ts'

/** Carries out the request of a call that has one answer, for a user. */
export type Unary = (request: Buffer, user: string) => Operation | Promise<Operation>

export interface RouteContext extends BulkContext {
	readonly nodes: Nodes
	/** Name or address that clients are told to connect to. */
	readonly advertised: string
	readonly isTls: boolean
	readonly storeCa: string | undefined
	readonly tokens: Tokens
	readonly accounts: Accounts
	readonly collections: Collections
	readonly operations: StoreOperations
}

/** Calls of services that are one table of methods each. */
export const CONTROL: ControlMethods = {
	...topicMethods,
	...coordinationMethods,
	...rateLimiterMethods,
	...describedMethods,
}

/** What is done at a call, by its path; also what the journal replays. */
export function routesOf(context: RouteContext): Map<string, Unary> {
	const { tree, faults, nodes, advertised, isTls, storeCa, tokens, accounts, collections, operations } = context
	const done = (work: () => void): Operation => {
		work()
		return success()
	}
	return new Map<string, Unary>([
		[Auth.login.path, (bytes) => tokens.login(bytes)],
		[
			Discovery.listEndpoints.path,
			() => {
				const endpoints = nodes.running().map(({ id, port }) => ({
					address: advertised,
					port,
					nodeId: id,
					location: 'local',
					ssl: isTls,
				}))
				return success(
					ListEndpointsResultSchema,
					create(ListEndpointsResultSchema, { endpoints, selfLocation: 'local' }),
				)
			},
		],
		[Discovery.whoAmI.path, (_, user) => success(WhoAmIResultSchema, create(WhoAmIResultSchema, { user }))],

		[
			Scheme.makeDirectory.path,
			(bytes, user) => done(() => tree.makeDirectory(fromBinary(MakeDirectoryRequestSchema, bytes).path, user)),
		],
		[
			Scheme.removeDirectory.path,
			(bytes) => done(() => tree.remove(fromBinary(RemoveDirectoryRequestSchema, bytes).path, 'directory')),
		],
		[Scheme.listDirectory.path, (bytes) => listDirectory(tree, fromBinary(ListDirectoryRequestSchema, bytes).path)],
		[Scheme.describePath.path, (bytes) => describePath(tree, fromBinary(DescribePathRequestSchema, bytes).path)],
		[
			Scheme.modifyPermissions.path,
			(bytes) => done(() => modifyPermissions(tree, fromBinary(ModifyPermissionsRequestSchema, bytes))),
		],

		[
			TableService.createTable.path,
			(bytes, user) => done(() => createTable(tree, fromBinary(CreateTableRequestSchema, bytes), user)),
		],
		[
			TableService.alterTable.path,
			(bytes) =>
				done(() => {
					const request = fromBinary(AlterTableRequestSchema, bytes)
					const { columns, primaryKey, indexes } = tree.table(request.path).spec
					checkShape(tree.limits, {
						columns: [...columns, ...request.addColumns].slice(request.dropColumns.length),
						primaryKey,
						indexes: [...indexes, ...request.addIndexes].slice(request.dropIndexes.length),
					})
					alterTable(tree, request)
				}),
		],
		[
			TableService.dropTable.path,
			(bytes) => done(() => tree.remove(fromBinary(DropTableRequestSchema, bytes).path, 'table')),
		],
		[
			TableService.describeTable.path,
			(bytes) => {
				const request = fromBinary(DescribeTableRequestSchema, bytes)
				return describeTable(tree, request, faults)
			},
		],
		[
			TableService.copyTable.path,
			(bytes, user) => {
				const { sourcePath, destinationPath } = fromBinary(CopyTableRequestSchema, bytes)
				copyTables(tree, { tables: [{ sourcePath, destinationPath, omitIndexes: false } as never] }, faults, user)
				return success()
			},
		],
		[
			TableService.copyTables.path,
			(bytes, user) => {
				copyTables(tree, fromBinary(CopyTablesRequestSchema, bytes), faults, user)
				return success()
			},
		],
		[
			TableService.renameTables.path,
			(bytes) => {
				renameTables(tree, fromBinary(RenameTablesRequestSchema, bytes))
				return success()
			},
		],
		[TableService.bulkUpsert.path, (bytes) => bulkUpsert(context, bytes)],
		...Object.entries(CONTROL).map(([path, { run }]): [string, Unary] => [
			path,
			(bytes, user) => run(tree, bytes, user),
		]),
		[Export.exportToS3.path, (bytes, user) => operations.startExport(bytes, user)],
		[Import.importFromS3.path, (bytes, user) => operations.startImport(bytes, user)],
		[Import.listObjectsInS3Export.path, (bytes) => listObjects(bytes, faults, storeCa)],
		[OBJECT.operation, (bytes) => done(() => operations.apply(JSON.parse(bytes.toString()) as OperationChange))],
		[OBJECT.index, (bytes) => done(() => buildIndex(tree, JSON.parse(bytes.toString())))],
		[OBJECT.removeAll, (bytes) => done(() => tree.removeAll((JSON.parse(bytes.toString()) as { path: string }).path))],
		[OBJECT.create, (bytes, user) => done(() => createObject(tree, JSON.parse(bytes.toString()), user))],
		[OBJECT.alterSequence, (bytes) => done(() => alterSequence(tree, JSON.parse(bytes.toString())))],
		[OBJECT.accounts, (bytes) => done(() => accounts.apply(JSON.parse(bytes.toString())))],
		[
			OBJECT.collection,
			(bytes, user) => done(() => collections.apply(JSON.parse(bytes.toString()) as CollectionChange, user)),
		],
		[OBJECT.drop, (bytes) => done(() => dropObject(tree, JSON.parse(bytes.toString())))],
		[OBJECT.sequences, (bytes) => done(() => setSequences(tree, JSON.parse(bytes.toString())))],
	])
}
