import { create, fromBinary } from '@bufbuild/protobuf'
import {
	ListObjectsInS3ExportRequestSchema,
	ListObjectsInS3ExportResultSchema,
	ListObjectsInS3ExportSettingsSchema,
} from '@ydbjs/api/import'
import type { Operation } from '@ydbjs/api/operation'
import { YdbError } from '../error.ts'
import type { Faults } from '../faults.ts'
import { success } from '../services/envelope.ts'
import { checkStore, excluding } from './export-items.ts'
import { readMapping, type Reading, storeFailure } from './import-files.ts'
import { normalExportPrefix, normalItemPrefix } from './layout.ts'
import { persistently } from './retries.ts'
import { FIELD, unknownTexts } from './unknown-fields.ts'
import { clientOf } from './work.ts'

const MOST_ITEMS = 10_000n

interface Listed {
	readonly prefix: string
	readonly path: string
}

/** What an export holds, by its mapping, or, where it has none, by the names in the store. Source: schemeshard_import_getters.cpp. */
async function objectsOf(reading: Reading, given: string): Promise<Listed[]> {
	const prefix = normalExportPrefix(given)
	const mapping = await readMapping(reading, prefix)
	if (mapping) return mapping.map(({ path, prefix }) => ({ path, prefix }))
	const { client, persistence } = reading
	const keys = await persistently(() => client.list(`${prefix}/`, persistence.signal), persistence)
	const end = reading.key ? '/metadata.json.enc' : '/metadata.json'
	return keys
		.filter((key) => key.endsWith(end))
		.map((key) => key.slice(prefix.length + 1, -end.length))
		.filter((path) => path !== '')
		.map((path) => ({ path, prefix: path }))
}

/** ListObjectsInS3Export. */
export async function listObjects(bytes: Uint8Array, faults: Faults, ca: string | undefined): Promise<Operation> {
	const request = fromBinary(ListObjectsInS3ExportRequestSchema, bytes)
	const settings = request.settings ?? create(ListObjectsInS3ExportSettingsSchema)
	checkStore(settings)
	if (settings.prefix === '') throw new YdbError('BAD_REQUEST', 'Empty S3 prefix specified')
	if (request.pageSize < 0n) throw new YdbError('BAD_REQUEST', 'Page size should be greater than 0')
	// The text is a guess.
	if (request.pageSize > MOST_ITEMS) throw new YdbError('BAD_REQUEST', `Page size should be at most ${MOST_ITEMS}`)
	if (!/^\d*$/.test(request.pageToken)) throw new YdbError('BAD_REQUEST', 'Failed to parse page token')
	const isExcluded = excluding(unknownTexts(settings, FIELD.listExcludeRegexps))
	const client = clientOf(settings, { ca })
	const reading: Reading = {
		client,
		persistence: {
			retries: settings.numberOfRetries,
			minuteMs: () => faults.storeRetryMinuteMs,
			signal: new AbortController().signal,
		},
		key: settings.encryptionSettings?.Key.value?.key,
		onPart: async () => {},
	}
	try {
		const wanted = settings.items.map(({ path }) => normalItemPrefix(path))
		const found = (await objectsOf(reading, settings.prefix))
			.filter(({ path }) => !isExcluded(path))
			.filter(({ path }) => wanted.length === 0 || wanted.some((each) => path === each || path.startsWith(`${each}/`)))
			.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
		const from = Number(request.pageToken)
		const to = request.pageSize === 0n ? found.length : from + Number(request.pageSize)
		const result = create(ListObjectsInS3ExportResultSchema, {
			items: found.slice(from, to),
			nextPageToken: to < found.length ? String(to) : '',
		})
		return success(ListObjectsInS3ExportResultSchema, result)
	} catch (error) {
		if (error instanceof YdbError) throw error
		// The status is a guess.
		throw new YdbError('GENERIC_ERROR', storeFailure(error))
	} finally {
		client.close()
	}
}
