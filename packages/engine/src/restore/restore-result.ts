import { openScheme } from '../part/contents.ts'
import type { RestoredObject, RestoredTable, RestoreOutcome } from './restore-options.ts'
import type { ObjectWork, RestoreRun, TableWork } from './restore-run.ts'
import { splitScheme } from './split-scheme.ts'
import { storageNeeds } from './storage-pools.ts'

/** What was done, or in a dry run what would be. */
export function resultOf(run: RestoreRun, elapsedMs: number): RestoreOutcome {
	const { options, meter, reporter } = run
	const before = broughtBefore(run)
	return {
		dryRun: options.dryRun === true,
		database: run.sink.database,
		outcome: run.problems.length > 0 ? 'partial' : 'complete',
		problems: run.problems,
		tables: run.tables.map((work) => tableResult(run, work)).toSorted((a, b) => (a.target < b.target ? -1 : 1)),
		objects: run.objects.map((work) => objectResult(work, options.dryRun === true)),
		directories: run.directories.map(({ stored, target, existed }) => ({
			path: stored.path,
			target,
			action: existed ? 'exists' : 'create',
		})),
		accounts: run.accounts?.plan.result,
		...resumedOf(run),
		keysUsed: run.keysUsed,
		notes: run.notes,
		warnings: reporter.warnings,
		rows: meter.rows + before.rows,
		plainBytes: meter.bytes + before.plainBytes,
		storedBytes: meter.storedBytes,
		elapsedMs,
	}
}

function resumedOf({ progress: { left } }: RestoreRun): Pick<RestoreOutcome, 'resumed'> {
	if (left === undefined) return {}
	return { resumed: { startedAt: left.request.startedAt, parts: left.parts.size } }
}

/** What an earlier process had brought back. */
function broughtBefore({ progress: { left }, tables }: RestoreRun): { rows: number; plainBytes: number } {
	const sum = { rows: 0, plainBytes: 0 }
	for (const { target, stored } of left === undefined ? [] : tables) {
		const note = left?.tables.get(target)
		const isWhole = note?.stage === 'filled'
		const facts = stored.parts.map(({ key }) => left?.parts.get(key)).filter((one) => one !== undefined)
		sum.rows += isWhole ? note.rows : facts.reduce((rows, one) => rows + one.rows, 0)
		sum.plainBytes += isWhole ? stored.plainBytes : facts.reduce((bytes, one) => bytes + one.plainBytes, 0)
	}
	return sum
}

function objectResult(
	{ stored, planned, target, existed, stage, createdParts }: ObjectWork,
	isDryRun: boolean,
): RestoredObject {
	return {
		path: stored.path,
		target,
		kind: stored.kind,
		action: existed ? 'exists' : stage === 'refused' ? 'refused' : 'create',
		parts: isDryRun && !existed ? stored.parts.map(({ name }) => name) : createdParts,
		secrets: existed ? [] : planned.secrets,
	}
}

function tableResult({ options, withChangefeeds }: RestoreRun, work: TableWork): RestoredTable {
	const { stored, target, existed, replaces, isCompared } = work
	const { scheme, ranges } = openScheme(stored)
	const phases = splitScheme(scheme)
	return {
		path: stored.path,
		target,
		action: existed ? (options.existing === 'merge' ? 'merge' : 'fill') : replaces ? 'replace' : 'create',
		...(options.schemeOnly === true ? { rows: 0, plainBytes: 0 } : sizesOf(work, options.dryRun === true)),
		partitions: ranges.length,
		indexes: existed ? [] : [...phases.uniqueIndexes, ...phases.indexes.map((index) => index.name)],
		changefeeds: existed || !withChangefeeds ? [] : feedsOf(work, options.dryRun === true),
		ttl: !existed && phases.ttl !== undefined && options.ttl !== 'off',
		expired: work.expired,
		storage: existed || options.storageSettings === 'drop' ? [] : storageNeeds(scheme),
		isCompared,
	}
}

function sizesOf({ stored, expected, read }: TableWork, isDryRun: boolean): Pick<RestoredTable, 'rows' | 'plainBytes'> {
	if (stored.foreign === undefined) return { rows: expected.rows, plainBytes: stored.plainBytes }
	if (isDryRun && stored.parts.length > 0) return { rows: undefined, plainBytes: undefined }
	const facts = Array.from(read.values())
	return {
		rows: facts.reduce((sum, { rows }) => sum + rows, 0),
		plainBytes: facts.reduce((sum, { plainBytes }) => sum + plainBytes, 0),
	}
}

function feedsOf({ stored, createdParts }: TableWork, isDryRun: boolean): readonly string[] {
	return isDryRun ? stored.changefeeds.map(({ name }) => name) : createdParts
}
