import type { Storage } from '@ydbackup/core'
import type { ManifestFile, ProvenFile } from '@ydbackup/format'

import type { ChainTable, OpenedChain } from '../chain/open-chain.ts'
import { readChainTable } from '../chain/read-chain-table.ts'
import type { Meter } from '../events/meter.ts'
import type { Reporter } from '../events/reporter.ts'
import type { StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import { type Finding, findingOf } from '../part/finding.ts'
import { partsOf } from '../part/parts.ts'
import { checkPart, checkStoredBytes } from '../part/read-part.ts'

export interface ReadTablesOptions {
	readonly storage: Storage
	readonly chain: OpenedChain
	readonly concurrency: number
	readonly meter: Meter
	readonly reporter: Reporter
	readonly stalls: StallWatch
	/** Keys of files of which the manifest as it was committed leaves something open; what is found is put into `proven`. */
	readonly open: ReadonlySet<string>
	readonly proven: ProvenFile[]
}

/** What is read in one go: a data file, or the whole of a table that a chain gives. */
interface Unit {
	readonly table: ChainTable
	/** For errors that name no file. */
	readonly key: string
	check(signal: AbortSignal): Promise<void>
}

/** Reads every data file that is there, and collects what is wrong. */
export async function readTables(options: ReadTablesOptions): Promise<Finding[]> {
	const { chain, concurrency, meter, reporter, stalls } = options
	const { tables, manifests } = chain
	const findings: Finding[] = []
	const broken = new Set(chain.findings.map((finding) => finding.key))
	const left = new Map(tables.map((table) => [table, table.links.length > 0 ? 1 : table.stored.parts.length]))

	meter.expect({ rows: sum(tables, 'rows'), bytes: sum(tables, 'plainBytes') })
	reporter.phase('data', `reading ${tables.length} tables`)
	await runAll(unitsOf(options), concurrency, stalls.signal, async ({ table, key, check }, signal) => {
		const leave = stalls.enter(key)
		try {
			if (!broken.has(key)) await check(signal)
		} catch (error) {
			findings.push(findingOf(error, key, 'data', table.stored.path))
		} finally {
			leave()
		}
		const open = (left.get(table) ?? 0) - 1
		left.set(table, open)
		if (open === 0) meter.tableDone()
	})

	// Changes of indexes, which no table is put together from; and files of tables whose scheme is damaged: their bytes can still be right,
	// and somebody may want them.
	const read = new Set(tables.map((table) => table.stored.prefix))
	const rest = manifests.flatMap((manifest) => {
		const ofIndexes = new Set(
			manifest.objects.flatMap(({ kind, prefix }) => (kind === 'index-changes' ? (prefix ?? []) : [])),
		)
		const isRest = (prefix: string): boolean =>
			ofIndexes.has(prefix) || (manifest === manifests.at(-1) && !read.has(prefix))
		return manifest.files.filter(({ role, object = '' }) => role === 'data' && isRest(object))
	})
	findings.push(...(await readBytes(options, rest, broken)))
	meter.report()
	return findings
}

/** Reads every data file of every backup of the chain for its stored bytes alone: what can be done without a key. */
export async function readStored(options: ReadTablesOptions): Promise<Finding[]> {
	const { chain, meter, reporter } = options
	const files = chain.manifests.flatMap((manifest) => manifest.files.filter(({ role }) => role === 'data'))
	meter.expect({ bytes: files.reduce((total, { plainSize, size }) => total + (plainSize ?? size), 0) })
	reporter.phase('data', `reading ${files.length} data files without a key`)
	const findings = await readBytes(options, files, new Set(chain.findings.map((finding) => finding.key)))
	meter.report()
	return findings
}

async function readBytes(
	{ storage, concurrency, meter, stalls }: ReadTablesOptions,
	files: readonly ManifestFile[],
	broken: ReadonlySet<string>,
): Promise<Finding[]> {
	const findings: Finding[] = []
	const whole = files.filter(({ key }) => !broken.has(key))
	await runAll(whole, concurrency, stalls.signal, async (file, signal) => {
		try {
			await checkStoredBytes({ storage, file, meter: meter.openPart(), signal })
		} catch (error) {
			findings.push(findingOf(error, file.key, 'data'))
		}
	})
	return findings
}

function* unitsOf({ storage, chain, meter, open, proven }: ReadTablesOptions): Generator<Unit> {
	const { compression } = chain.manifests[0]!
	for (const table of chain.tables) {
		if (table.links.length > 0) {
			yield {
				table,
				key: table.links.at(-1)!.table.parts[0]?.key ?? table.stored.schemeKey,
				async check(signal) {
					for await (const _ of readChainTable({ storage, table, meter, signal }));
				},
			}
			continue
		}
		for (const { file, scheme, range } of partsOf([table.stored])) {
			yield {
				table,
				key: file.key,
				check: (signal) =>
					checkPart({
						storage,
						file,
						schema: scheme.schema,
						range,
						compression,
						unseal: table.stored.unseal,
						meter: meter.openPart(),
						signal,
						...(open.has(file.key) && {
							onRead: ({ plainBytes, ...facts }) =>
								void proven.push({ key: file.key, plainSize: plainBytes, ...facts }),
						}),
					}),
			}
		}
	}
}

function sum(tables: readonly ChainTable[], what: 'rows' | 'plainBytes'): number {
	return tables.reduce((total, { stored }) => total + stored[what], 0)
}
