import { clone, create } from '@bufbuild/protobuf'
import {
	type CopyTablesRequest,
	type CreateTableRequest,
	CreateTableRequestSchema,
	GlobalIndexSchema,
	type RenameTablesRequest,
} from '@ydbjs/api/table'
import { YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import { isNewerIndex } from '../scheme/newer-index.ts'
import { Table } from '../scheme/table.ts'
import type { SchemeTree } from '../scheme/tree.ts'

export function createTable(tree: SchemeTree, request: CreateTableRequest, owner: string): void {
	const { path } = request
	if (tree.find(path)) throw new YdbError('SCHEME_ERROR', `Check failed: path: '${path}', error: path exist`, 2003)
	const spec = clone(CreateTableRequestSchema, request)
	spec.path = ''
	spec.sessionId = ''
	delete spec.operationParams
	// Official examples of the Python SDK name no type; ALTER TABLE refuses what CREATE TABLE takes.
	for (const index of spec.indexes)
		if (index.type.case === undefined && !isNewerIndex(index))
			index.type = { case: 'globalIndex', value: create(GlobalIndexSchema) }
	if (spec.profile) throw new YdbError('UNSUPPORTED', 'table profiles are not emulated')
	tree.addTable(path, new Table(spec, tree.step, undefined, path.includes('/.backups/collections/')), owner)
}

export function copyTables(
	tree: SchemeTree,
	request: Pick<CopyTablesRequest, 'tables'>,
	faults: Faults,
	owner: string,
): void {
	const { tables } = request
	if (tables.length === 0) throw new YdbError('BAD_REQUEST', 'no tables to copy')
	if (tables.length > faults.maxCopyTargets)
		throw new YdbError('BAD_REQUEST', `Limit of copied tables is ${faults.maxCopyTargets}, ${tables.length} given`)
	for (const { sourcePath, destinationPath } of tables) {
		const source = tree.table(sourcePath)
		// The text is a guess: schemeshard's check of the kind of a path.
		if (source.isColumnTable || source.refusesWrites)
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${sourcePath}', error: path is not a table`, 2003)
		if (tree.find(destinationPath))
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${destinationPath}', error: path exist`, 2003)
	}
	for (const { sourcePath, destinationPath, omitIndexes } of tables) {
		const copy = tree.table(sourcePath).copy(tree.step)
		if (omitIndexes) {
			copy.spec.indexes = []
			copy.refresh()
		}
		tree.addTable(destinationPath, copy, owner)
	}
}

/** The attribute of tables that a replication writes to, and no client may set on a real server. Source: ATTR_ASYNC_REPLICA of schemeshard. */
const isReplica = ({ spec }: Table): boolean => spec.attributes['__async_replica'] === 'true'

/** All of the renames, or none. */
export function renameTables(tree: SchemeTree, { tables }: RenameTablesRequest): void {
	const gone = new Set<string>()
	const come = new Set<string>()
	const key = (path: string): string => tree.segments(path).join('/')
	for (const { sourcePath, destinationPath, replaceDestination } of tables) {
		const [from, to] = [key(sourcePath), key(destinationPath)]
		const moving = tree.find(sourcePath)?.table
		if (moving?.isColumnTable) throw new YdbError('PRECONDITION_FAILED', 'RENAME is prohibited for column tables')
		if (moving && isReplica(moving))
			throw new YdbError(
				'SCHEME_ERROR',
				`Check failed: path: '${sourcePath}', error: path is an async replica table`,
				2003,
			)
		if (moving && moving.changefeeds.size + moving.streams.size > 0)
			throw new YdbError('PRECONDITION_FAILED', 'Cannot move table with cdc streams')
		if (!come.has(from)) {
			if (gone.has(from)) throw new YdbError('SCHEME_ERROR', `Path not found: ${sourcePath}`, 200200)
			tree.table(sourcePath)
		}
		const taken = come.has(to) || (!gone.has(to) && tree.find(destinationPath) !== undefined)
		if (taken && !replaceDestination)
			throw new YdbError('SCHEME_ERROR', `Check failed: path: '${destinationPath}', error: path exist`, 2003)
		if (taken && !come.has(to)) tree.table(destinationPath)
		come.delete(from)
		gone.add(from)
		gone.delete(to)
		come.add(to)
	}
	for (const { sourcePath, destinationPath, replaceDestination } of tables) {
		if (replaceDestination && tree.find(destinationPath)) tree.remove(destinationPath, 'table')
		tree.move(sourcePath, destinationPath)
	}
}
