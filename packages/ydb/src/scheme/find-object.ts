import { DescribePathResultSchema, SchemeServiceDefinition } from '@ydbjs/api/scheme'
import type { Driver } from '@ydbjs/core'
import { BackupError, type CallOptions, isBackupError, type SourceObject } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { resultOf } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import { objectOf } from './walk.ts'

const CALL_MS = 120_000

/** What stands at a path of a database; undefined when nothing does. */
export async function findObject(
	driver: Driver,
	database: string,
	path: string,
	{ signal }: CallOptions = {},
): Promise<SourceObject | undefined> {
	const client = driver.createClient(SchemeServiceDefinition)
	const absolute = path === '' ? database : `${database}/${path}`
	const doing = `look at ${absolute}`
	try {
		return await patiently({ doing, signal }, async () => {
			const answer = await bounded(signal, CALL_MS, (bound) =>
				client.describePath({ path: absolute }, { signal: bound }),
			)
			return objectOf(path, resultOf(DescribePathResultSchema, answer, doing).self!)
		})
	} catch (error) {
		if (isBackupError(error, 'PATH_NOT_FOUND')) return undefined
		throw error
	}
}

/** What kind of object stands at an absolute path; undefined when nothing does. */
export async function kindAt(
	driver: Driver,
	absolute: string,
	options?: CallOptions,
): Promise<SourceObject['kind'] | undefined> {
	return (await findObject(driver, absolute, '', options))?.kind
}

/** The database itself. */
export async function findRoot(driver: Driver, database: string, options?: CallOptions): Promise<SourceObject> {
	const root = await findObject(driver, database, '', options)
	if (root === undefined) throw new BackupError('PATH_NOT_FOUND', `the database ${database} is gone`)
	return root
}
