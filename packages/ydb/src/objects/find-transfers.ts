import type { Entry } from '@ydbjs/api/scheme'
import type { Driver } from '@ydbjs/core'
import { type CallOptions, type ErrorCode, isBackupError, type TransferTie } from '@ydbackup/core'
import { forEachAbreast } from '../call/abreast.ts'
import { DescribeTransferResultSchema } from '../gen/ydb_objects_pb.ts'
import { isSkipped, kindOf } from '../scheme/kinds.ts'
import { listDirectory } from '../snapshot/copies.ts'
import { describeBy } from './describe-service.ts'

const UNTOLD = new Set<ErrorCode>(['DATABASE_PERMISSION', 'UNSUPPORTED', 'PATH_NOT_FOUND'])

/** Transfers of a database as far as the user may see them. */
export async function findTransfers(
	driver: Driver,
	database: string,
	options: CallOptions = {},
): Promise<TransferTie[]> {
	const found: string[] = []
	let directories = ['']
	while (directories.length > 0) {
		const below: string[] = []
		await forEachAbreast(directories, async (directory) => {
			for (const { name, type } of await childrenOf(driver, database, directory, options)) {
				const path = directory === '' ? name : `${directory}/${name}`
				const kind = kindOf(type)
				if (kind === 'transfer') found.push(path)
				if (kind === 'directory' && !isSkipped(name, directory)) below.push(path)
			}
		})
		directories = below
	}
	return forEachAbreast(found.toSorted(), async (path) => ({
		path,
		target: await targetOf(driver, database, path, options),
	}))
}

async function childrenOf(driver: Driver, database: string, directory: string, options: CallOptions): Promise<Entry[]> {
	try {
		const path = directory === '' ? database : `${database}/${directory}`
		return (await listDirectory(driver, path, options)) ?? []
	} catch (error) {
		if (isBackupError(error, 'DATABASE_PERMISSION')) return []
		throw error
	}
}

/** The table that a transfer writes to. Servers may tell it with the database or without. */
async function targetOf(
	driver: Driver,
	database: string,
	path: string,
	options: CallOptions,
): Promise<string | undefined> {
	try {
		const { destinationPath } = await describeBy(
			driver,
			'transfer',
			`${database}/${path}`,
			DescribeTransferResultSchema,
			options,
		)
		if (destinationPath === '') return undefined
		return destinationPath.startsWith(`${database}/`) ? destinationPath.slice(database.length + 1) : destinationPath
	} catch (error) {
		if (isBackupError(error) && UNTOLD.has(error.code)) return undefined
		throw error
	}
}
