import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import type * as Sdk from 'ydb-sdk'
import type { Picture, Sight } from './picture.ts'

// The CommonJS build: a code base that shares nothing with the tool but the protocol (protobufjs, its own transport).
const sdk = createRequire(import.meta.url)('ydb-sdk') as typeof Sdk
const { AnonymousAuthService, DescribeTableSettings, Driver, ReadTableSettings, SimpleLogger, Ydb } = sdk

const DIRECTORY = Ydb.Scheme.Entry.Type.DIRECTORY
const TABLE = Ydb.Scheme.Entry.Type.TABLE

async function tableOf(session: Sdk.TableSession, path: string): Promise<Omit<Sight, 'kind' | 'owner' | 'grants'>> {
	const about = await session.describeTable(path, new DescribeTableSettings().withIncludeShardKeyBounds(true))
	const names = about.columns.map((column) => column.name!)
	const hash = createHash('sha256')
	let rows = 0
	let bytes = 0
	const settings = new ReadTableSettings().withOrdered(true).withColumns(...names)
	await session.streamReadTable(
		path,
		({ resultSet }) => {
			for (const row of resultSet?.rows ?? []) {
				const encoded = Ydb.Value.encode(row).finish()
				hash.update(encoded)
				rows++
				bytes += encoded.length
			}
		},
		settings,
	)
	return {
		columns: about.columns.map((column) => `${column.name} ${JSON.stringify(column.type)}`),
		primaryKey: about.primaryKey,
		partitions: (about.shardKeyBounds?.length ?? 0) + 1,
		rows,
		bytes,
		sha256: hash.digest('hex'),
	}
}

async function withDriver<T>(endpoint: string, database: string, work: (driver: Sdk.Driver) => Promise<T>): Promise<T> {
	const logger = new SimpleLogger({ envKey: 'YDB_SDK_LOG', level: 'error' as never })
	const driver = new Driver({ endpoint, database, authService: new AnonymousAuthService(), logger })
	try {
		if (!(await driver.ready(10_000)))
			throw new Error(`ydb-sdk found no database at ${endpoint}${database} within 10 s`)
		return await work(driver)
	} finally {
		await driver.destroy()
	}
}

async function* walk(driver: Sdk.Driver, directory: string): AsyncGenerator<{ path: string; type: number }> {
	const { children } = await driver.schemeClient.listDirectory(directory)
	for (const { name, type } of children) {
		if (!name || name.startsWith('.') || name.startsWith('~')) continue
		const path = directory === '' ? name : `${directory}/${name}`
		yield { path, type: type ?? 0 }
		if (type === DIRECTORY) yield* walk(driver, path)
	}
}

/** The database as the official `ydb-sdk` 5.x sees it. */
export async function theirPicture(endpoint: string, database: string): Promise<Picture> {
	return withDriver(endpoint, database, async (driver) => {
		const picture = new Map<string, Sight>()
		for await (const { path, type } of walk(driver, '')) {
			const { self } = await driver.schemeClient.describePath(path)
			const grants = (self?.permissions ?? []).flatMap(({ subject, permissionNames }) =>
				(permissionNames ?? []).map((name) => `${subject}: ${name}`),
			)
			const access = { owner: self?.owner ?? '', grants: grants.sort() }
			if (type === DIRECTORY) picture.set(path, { kind: 'directory', ...access })
			else if (type === TABLE) {
				const table = await driver.tableClient.withSession((session) => tableOf(session, path), 600_000)
				picture.set(path, { kind: 'table', ...access, ...table })
			}
		}
		return picture
	})
}

/** Runs statements one after the other, each committed by itself. */
export async function runStatements(endpoint: string, database: string, statements: readonly string[]): Promise<void> {
	await withDriver(endpoint, database, async (driver) => {
		for (const text of statements) {
			await driver.queryClient.do({
				fn: async (session) => {
					const { resultSets } = await session.execute({ text })
					for await (const _ of resultSets);
				},
			})
		}
	})
}

/** The disaster: everything in the database is dropped. */
export async function dropEverything(endpoint: string, database: string): Promise<number> {
	return withDriver(endpoint, database, async (driver) => {
		const found: { path: string; type: number }[] = []
		for await (const object of walk(driver, '')) found.push(object)
		for (const { path, type } of found.toReversed()) {
			if (type === DIRECTORY) await driver.schemeClient.removeDirectory(path)
			else await driver.tableClient.withSession((session) => session.dropTable(path))
		}
		return found.length
	})
}
