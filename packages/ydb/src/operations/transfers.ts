import { create } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import {
	type EncryptionSettings,
	EncryptionSettings_SymmetricKeySchema,
	EncryptionSettingsSchema,
	ExportServiceDefinition,
	ExportToS3Settings_StorageClass,
} from '@ydbjs/api/export'
import { ImportServiceDefinition, ListObjectsInS3ExportResultSchema } from '@ydbjs/api/import'
import type { Operation } from '@ydbjs/api/operation'
import type { Driver } from '@ydbjs/core'
import {
	BackupError,
	type ClusterKey,
	type ClusterOperation,
	type ClusterTransfers,
	type S3Place,
} from '@ydbackup/core'
import { forEachAbreast } from '../call/abreast.ts'
import { bounded } from '../call/bounded.ts'
import { callError, refusalError, SUCCESS } from '../call/failure.ts'
import { mustSucceed } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import { storedBytesOf } from '../scheme/table-description.ts'
import { createOperations } from './operations.ts'
import { readOperation } from './read-operation.ts'

const START_MS = 60_000
/** The server's own bound of a description. */
const LONGEST_DESCRIPTION = 128
/** How long a server that answers, but not with a list, is asked again. One that says nothing is not: a wrong address must be found within a minute. */
const BUSY_MS = 10_000
const LIST_MS = 30_000
const MOST_PAGES = 1_000
const PAGE = 10_000n

export function createTransfers(driver: Driver, database: string): ClusterTransfers {
	const exports = driver.createClient(ExportServiceDefinition)
	const imports = driver.createClient(ImportServiceDefinition)
	const absolute = (path: string): string => `${database}/${path}`

	return {
		database,
		operations: createOperations(driver),

		async startExport({ place, prefix, items, compression, key, retries, uid, description, signal }) {
			const doing = `start the export of ${items.length} objects by the cluster`
			const request = {
				operationParams: { labels: { uid } },
				settings: {
					...addressOf(place),
					storageClass: storageClassOf(place.storageClass),
					items: items.map((item) => ({
						sourcePath: absolute(item.path),
						destinationPrefix: item.prefix ?? '',
					})),
					destinationPrefix: prefix ?? '',
					sourcePath: prefix === undefined ? '' : database,
					compression: compression ?? '',
					numberOfRetries: retries,
					description: description.slice(0, LONGEST_DESCRIPTION),
					...encryptionOf(key),
				},
			}
			// The same uid begins nothing twice, so that a lost answer does no harm.
			return patiently({ doing, signal }, async () => {
				const answer = await bounded(signal, START_MS, (bound) => exports.exportToS3(request, { signal: bound }))
				return started(answer.operation, doing)
			})
		},

		async startImport({ place, prefix, items, key, retries, noAcl, uid, description, signal }) {
			const doing = `start the import of ${items.length} objects by the cluster`
			const request = {
				operationParams: { labels: { uid } },
				settings: {
					...addressOf(place),
					sourcePrefix: prefix,
					items: items.map((item) => ({
						Source: { case: 'sourcePrefix' as const, value: item.prefix },
						destinationPath: absolute(item.target),
					})),
					numberOfRetries: retries,
					noAcl,
					description: description.slice(0, LONGEST_DESCRIPTION),
					...encryptionOf(key),
				},
			}
			const answer = await bounded(signal, START_MS, (bound) => imports.importFromS3(request, { signal: bound }))
			return started(answer.operation, doing)
		},

		async listExport({ place, prefix, key, signal }) {
			const doing = `let the cluster list ${place.bucket}/${prefix} at ${place.endpoint}`
			const settings = { ...addressOf(place), prefix, numberOfRetries: 0, ...encryptionOf(key) }
			const found: { prefix: string; path: string }[] = []
			let pageToken = ''
			for (let page = 0; page < MOST_PAGES; page++) {
				const { result } = await patiently({ doing, signal, budgetMs: BUSY_MS }, async () => {
					const answer = await bounded(signal, LIST_MS, (bound) =>
						imports.listObjectsInS3Export({ settings, pageSize: PAGE, pageToken }, { signal: bound }),
					).catch((error: unknown) => {
						const failure = callError(error, doing)
						if (failure.code !== 'DEADLINE_EXCEEDED') throw failure
						throw new BackupError(failure.code, failure.message, { cause: error })
					})
					return mustSucceed(answer, doing)
				})
				const listed = result && anyUnpack(result, ListObjectsInS3ExportResultSchema)
				found.push(...(listed?.items ?? []).map((item) => ({ prefix: item.prefix, path: item.path })))
				const next = listed?.nextPageToken ?? ''
				if (next === '' || next === pageToken) break
				pageToken = next
			}
			return found
		},

		async sizes(paths, { signal } = {}) {
			const sizes = await forEachAbreast(paths, async (path) =>
				Number(await storedBytesOf(driver, absolute(path), { signal })),
			)
			return new Map(paths.map((path, at) => [path, sizes[at]!]))
		},
	}
}

/** An operation that did not begin has no id. */
function started(operation: Operation | undefined, doing: string): ClusterOperation {
	if (operation === undefined) throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: nothing was answered`)
	if (operation.id === '') {
		if (operation.status !== SUCCESS) throw refusalError(operation, doing)
		throw new BackupError('DATABASE_REFUSED', `cannot ${doing}: the answer has no operation`)
	}
	return readOperation(operation)
}

interface Address {
	readonly endpoint: string
	/** Its number in exports, imports and listings alike. */
	readonly scheme: 1 | 2
	readonly bucket: string
	readonly accessKey: string
	readonly secretKey: string
	readonly region: string
	readonly disableVirtualAddressing: boolean
}

function addressOf({ endpoint, scheme, bucket, region, isPathStyle, accessKey, secretKey }: S3Place): Address {
	return {
		endpoint,
		scheme: scheme === 'HTTP' ? 1 : 2,
		bucket,
		accessKey,
		secretKey,
		region: region ?? '',
		disableVirtualAddressing: isPathStyle,
	}
}

function storageClassOf(name: string | undefined): ExportToS3Settings_StorageClass {
	if (name === undefined) return ExportToS3Settings_StorageClass.STORAGE_CLASS_UNSPECIFIED
	const found = ExportToS3Settings_StorageClass[name as keyof typeof ExportToS3Settings_StorageClass]
	if (found !== undefined) return found
	throw new BackupError('UNSUPPORTED', `the cluster does not know the storage class ${name}`, {
		advice: 'take the storage class out of the location, or take the backup with --engine client',
	})
}

function encryptionOf(key: ClusterKey | undefined): { encryptionSettings?: EncryptionSettings } {
	if (key === undefined) return {}
	const symmetric = create(EncryptionSettings_SymmetricKeySchema, { key: key.bytes })
	return {
		encryptionSettings: create(EncryptionSettingsSchema, {
			encryptionAlgorithm: key.algorithm,
			Key: { case: 'symmetricKey', value: symmetric },
		}),
	}
}
