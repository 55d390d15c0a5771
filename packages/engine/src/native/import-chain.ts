import { BackupError, type CollectionAdmin, throwIfInterrupted } from '@ydbackup/core'

import { reasonText } from '../events/reporter.ts'
import type { StallWatch } from '../events/stall-watch.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import { runAll } from '../flow/run-all.ts'
import { openScheme } from '../part/contents.ts'
import { partsOf } from '../part/parts.ts'
import { readPart } from '../part/read-part.ts'
import { createWhereverItFits } from '../restore/create-objects.ts'
import type { RestoreRun } from '../restore/restore-run.ts'
import type { NativeLink, NativeTable } from './native-plan.ts'

const DROP_MS = 600_000

/** Writes the tables of every link below the collection, and looks whether the server has all of them. */
export async function importChain(
	run: RestoreRun,
	admin: CollectionAdmin,
	name: string,
	links: readonly NativeLink[],
	stalls: StallWatch,
): Promise<void> {
	const root = `${admin.place}/${name}`
	for (const link of links) {
		run.reporter.phase('data', `importing ${link.name} into the collection ${name}`)
		await runAll(link.tables, run.concurrency, stalls.signal, async (table, signal) => {
			const leave = stalls.enter(`${link.name}/${table.path}`)
			try {
				await importTable(run, `${root}/${link.name}/${table.path}`, table, signal)
			} finally {
				leave()
			}
		})
	}
	await assertWhole(admin, name, links, stalls.signal)
}

async function importTable(run: RestoreRun, place: string, table: NativeTable, signal: AbortSignal): Promise<void> {
	const { sink, storage, meter, reporter } = run
	const { layer, create } = table
	await sink.createDirectory(place.slice(0, place.lastIndexOf('/')), { signal })
	await createWhereverItFits(run, place, create, signal)
	const writer = await sink.openWriter(place, openScheme(layer.table).schema, {
		signal,
		onWritten: () => meter.touch(),
		onRetry: (reason) => reporter.retry(`writing ${place}`, reason),
	})
	let rows = 0
	try {
		for (const { file, scheme, range } of partsOf([layer.table])) {
			const { schema } = scheme
			const { compression } = layer.manifest
			const { unseal } = layer.table
			const part = { storage, file, schema, range, compression, unseal, meter: meter.openPart(), signal }
			for await (const chunk of readPart(part)) {
				throwIfInterrupted(signal, `importing ${table.path}`)
				rows += chunk.rows
				await writer.write(chunk)
			}
		}
		await writer.finish()
	} catch (error) {
		writer.abort(error)
		throw error
	}
	const counted = await sink.countRows(place, { signal })
	if (counted !== BigInt(rows))
		throw new BackupError('COUNT_MISMATCH', `${place}: ${rows} rows were written, and the server counts ${counted}`, {
			advice: 'see that nobody writes to the collection, and restore again',
		})
}

/** RESTORE passes over a change table that is missing, and succeeds. */
async function assertWhole(
	admin: CollectionAdmin,
	name: string,
	links: readonly NativeLink[],
	signal: AbortSignal,
): Promise<void> {
	const source = admin.open(name)
	const found = new Map((await source.links({ signal })).map((link) => [link.name, link]))
	for (const { name: link, tables } of links) {
		const there = found.get(link)
		const paths = new Set(there && (await source.contents(there, { signal })).tables.map(({ path }) => path))
		const lost = tables.find(({ path }) => !paths.has(path))
		if (lost === undefined) continue
		throw new BackupError('CHAIN_BROKEN', `${lost.path} of ${link} was imported and is not in the collection ${name}`, {
			reason: 'gap',
			advice: 'somebody dropped it meanwhile: restore again',
		})
	}
	const strange = [...found.keys()].find((link) => !links.some((one) => one.name === link))
	if (strange === undefined) return
	throw new BackupError('CHAIN_BROKEN', `somebody else put ${strange} into the collection ${name}`, {
		reason: 'ambiguous',
		advice: 'look at it, and restore again',
	})
}

/** Removes the collection with all that was imported; what could not be removed is warned about. */
export async function dropStaging({ reporter }: RestoreRun, admin: CollectionAdmin, name: string): Promise<void> {
	const signal = cleanupSignal(DROP_MS, `dropping the collection ${name}`)
	reporter.phase('cleanup', `dropping the collection ${name}`)
	try {
		const source = admin.open(name)
		// Older servers drop the collection and leave its tables.
		for (const link of await source.links({ signal })) await source.drop(link, { signal })
		await admin.drop(name, { signal })
	} catch (error) {
		reporter.warn(
			`the collection ${name} of this restore could not be dropped: ${reasonText(error)}; ${dropByHand(name)}`,
		)
	}
}

export const dropByHand = (name: string): string =>
	`when nobody needs it: ydbackup collection drop ${name} --with-links`
