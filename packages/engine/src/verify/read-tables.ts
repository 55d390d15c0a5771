import type { Storage } from '@ydbackup/core'
import type { Manifest } from '@ydbackup/format'

import type { Meter } from '../events/meter.ts'
import type { Reporter } from '../events/reporter.ts'
import type { StallWatch } from '../events/stall-watch.ts'
import { runAll } from '../flow/run-all.ts'
import type { StoredTable } from '../part/contents.ts'
import { type Finding, findingOf } from '../part/finding.ts'
import type { Inspection } from '../part/inspect.ts'
import { partsOf } from '../part/parts.ts'
import { checkPart, checkStoredBytes } from '../part/read-part.ts'

export interface ReadTablesOptions {
	readonly storage: Storage
	readonly manifest: Manifest
	readonly inspection: Inspection
	readonly concurrency: number
	readonly meter: Meter
	readonly reporter: Reporter
	readonly stalls: StallWatch
}

/** Reads every data file that is there, and collects what is wrong. */
export async function readTables(options: ReadTablesOptions): Promise<Finding[]> {
	const { storage, manifest, inspection, concurrency, meter, reporter, stalls } = options
	const { tables } = inspection
	const { compression } = manifest
	const findings: Finding[] = []
	const broken = new Set(inspection.findings.map((finding) => finding.key))
	const left = new Map(tables.map((table) => [table.prefix, table.parts.length]))

	meter.expect({ rows: sum(tables, 'rows'), bytes: sum(tables, 'plainBytes') })
	reporter.phase('data', `reading ${tables.length} tables`)
	await runAll(partsOf(tables), concurrency, stalls.signal, async ({ table, scheme, file, range }, signal) => {
		const leave = stalls.enter(file.key)
		try {
			const { schema } = scheme
			const part = { storage, file, schema, range, compression, meter: meter.openPart(), signal }
			if (!broken.has(file.key)) await checkPart(part)
		} catch (error) {
			findings.push(findingOf(error, file.key, 'data', table.path))
		} finally {
			leave()
		}
		const open = (left.get(table.prefix) ?? 0) - 1
		left.set(table.prefix, open)
		if (open === 0) meter.tableDone()
	})

	// Files of tables whose scheme is damaged: their bytes can still be right, and somebody may want them.
	const rest = manifest.files.filter(
		(file) => file.role === 'data' && !left.has(file.object ?? '') && !broken.has(file.key),
	)
	await runAll(rest, concurrency, stalls.signal, async (file, signal) => {
		try {
			await checkStoredBytes({ storage, file, signal })
		} catch (error) {
			findings.push(findingOf(error, file.key, 'data'))
		}
		meter.touch()
	})
	meter.report()
	return findings
}

function sum(tables: readonly StoredTable[], what: 'rows' | 'plainBytes'): number {
	return tables.reduce((total, table) => total + table[what], 0)
}
