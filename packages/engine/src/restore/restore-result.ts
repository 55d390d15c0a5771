import { keysOf } from '../encryption/open-backup.ts'
import { openScheme } from '../part/contents.ts'
import type { RestoredTable, RestoreResult } from './restore-options.ts'
import type { RestoreRun, TableWork } from './restore-run.ts'
import { splitScheme } from './split-scheme.ts'

/** What was done, or in a dry run what would be. */
export function resultOf(run: RestoreRun, elapsedMs: number): RestoreResult {
	const { options, manifest, meter, reporter } = run
	return {
		id: manifest.id,
		dryRun: options.dryRun === true,
		database: run.sink.database,
		outcome: run.problems.length > 0 ? 'partial' : 'complete',
		problems: run.problems,
		tables: run.tables.map((work) => tableResult(run, work)).toSorted((a, b) => (a.target < b.target ? -1 : 1)),
		directories: run.directories.map(({ stored, target, existed }) => ({
			path: stored.path,
			target,
			action: existed ? 'exists' : 'create',
		})),
		keysUsed: keysOf(run.manifests),
		notes: manifest.notes,
		warnings: reporter.warnings,
		rows: meter.rows,
		plainBytes: meter.bytes,
		storedBytes: meter.storedBytes,
		elapsedMs,
	}
}

function tableResult({ options }: RestoreRun, { stored, target, existed, isCompared }: TableWork): RestoredTable {
	const { scheme, ranges } = openScheme(stored)
	const phases = splitScheme(scheme)
	return {
		path: stored.path,
		target,
		action: existed ? (options.existing === 'merge' ? 'merge' : 'fill') : 'create',
		rows: options.schemeOnly === true ? 0 : stored.rows,
		plainBytes: options.schemeOnly === true ? 0 : stored.plainBytes,
		partitions: ranges.length,
		indexes: existed ? [] : phases.indexes.map((index) => index.name),
		ttl: !existed && phases.ttl !== undefined && options.ttl !== 'off',
		isCompared,
	}
}
