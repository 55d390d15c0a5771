import { toBinary } from '@bufbuild/protobuf'
import { ModifyPermissionsRequestSchema, SchemeServiceDefinition as Scheme } from '@ydbjs/api/scheme'
import { CreateTopicRequestSchema, TopicServiceDefinition as TopicService } from '@ydbjs/api/topic'
import { pathExists } from '../scheme/tree.ts'
import { describe, type Described } from './described.ts'
import { ImportError, parse, readMapping, type Reading, storeFailure } from './import-files.ts'
import { type IndexPopulation, mappedItems, populationOf } from './import-items.ts'
import { importTable } from './import-table.ts'
import type { ExportedKind } from './layout.ts'
import { importSettings, type Running } from './operation.ts'
import { statementChanges } from './statements.ts'
import { type Around, clientOf, inParallel, pause } from './work.ts'

/** Makes what an export holds. Throws what stopped it; what was made stays. */
export async function runImport(around: Around, running: Running): Promise<void> {
	const { tree, faults, signal, changes } = around
	const settings = importSettings(running)
	const population = populationOf(settings)
	const client = clientOf(settings, around)
	const reading: Reading = {
		client,
		persistence: { retries: settings.numberOfRetries, minuteMs: () => faults.storeRetryMinuteMs, signal },
		key: settings.encryptionSettings?.Key.value?.key,
		onPart: () => pause(faults.slowPartMs, signal),
	}
	try {
		await pause(faults.operationDelayMs, signal)
		if (running.items.length === 0) {
			const objects = await readMapping(reading, settings.sourcePrefix)
			if (!objects) throw new ImportError('cannot get schema mapping: S3 error: the export has no metadata.json')
			const items = mappedItems(tree.database, settings, objects)
			for (const { path } of items) if (tree.find(path)) throw new ImportError(pathExists(path).message)
			changes.items(items)
		}
		const described: Described[] = []
		for (const [at, item] of running.items.entries()) {
			if (item.state === 'done') continue
			described.push(
				await failing(around, at, () => describe(reading, item, at, settings.skipChecksumValidation, settings.noAcl)),
			)
		}
		await pause(faults.operationDelayMs, signal)
		const one = (each: Described) => (): Promise<void> =>
			failing(around, each.at, () => importOne(around, reading, each, population))
		const isStatement = ({ kind }: Described): boolean => kind !== 'table' && kind !== 'topic'
		await inParallel(described.filter((each) => !isStatement(each)).map(one), around)
		await inRounds(described.filter(isStatement), (each) =>
			failing(around, each.at, () => importOne(around, reading, each, population)),
		)
	} finally {
		client.close()
	}
}

/** A failure belongs to its item. */
async function failing<T>({ changes, signal }: Around, at: number, work: () => Promise<T>): Promise<T> {
	try {
		return await work()
	} catch (error) {
		if (!signal.aborted) changes.item(at, { state: 'cancelled', issue: storeFailure(error) })
		throw error
	}
}

/** What is made by statements may need each other: what fails is tried again when another could be made. */
async function inRounds(objects: readonly Described[], make: (object: Described) => Promise<void>): Promise<void> {
	let waiting = [...objects]
	while (waiting.length > 0) {
		const failed: { readonly object: Described; readonly error: unknown }[] = []
		for (const object of waiting)
			try {
				await make(object)
			} catch (error) {
				failed.push({ object, error })
			}
		if (failed.length === waiting.length) throw failed[0]!.error
		waiting = failed.map(({ object }) => object)
	}
}

async function importOne(
	around: Around,
	reading: Reading,
	described: Described,
	population: IndexPopulation,
): Promise<void> {
	const { changes } = around
	const { at, item, kind, permissions, text } = described
	if (kind === 'table') await importTable(around, reading, described, population)
	else {
		if (item.state === 'preparing') makeObject(around, kind, item.path, text)
		changes.item(at, { state: 'transferring' })
	}
	if (permissions !== undefined) {
		const request = parse(ModifyPermissionsRequestSchema, permissions, 'permissions')
		request.path = item.path
		changes.scheme(Scheme.modifyPermissions.path, toBinary(ModifyPermissionsRequestSchema, request))
	}
	changes.item(at, { state: 'done', endedAt: around.now() })
}

function makeObject({ tree, changes }: Around, kind: ExportedKind, path: string, text: string): void {
	if (kind === 'topic') {
		const request = parse(CreateTopicRequestSchema, text, 'topic')
		request.path = path
		return changes.scheme(TopicService.createTopic.path, toBinary(CreateTopicRequestSchema, request))
	}
	for (const { method, request } of statementChanges(tree, text, path)) changes.scheme(method, request)
}
