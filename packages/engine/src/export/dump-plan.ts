import { bareType, BackupError, type ProtoText, type TableSchema } from '@ydbackup/core'
import { dumpLayout } from '@ydbackup/format'

import { ancestorsOf, comparePaths } from '../choose/object-path.ts'
import { isColumnTable } from '../part/column-table.ts'
import { withoutPools } from '../restore/storage-pools.ts'
import type { RestoreChoice } from '../restore/restore-plan.ts'

export interface DumpPlan {
	/** Parents first: those of the backup, and those above what is chosen. */
	readonly directories: readonly string[]
	/** Of everything that is no directory. */
	readonly objects: readonly string[]
	/** Directories with nothing in them. */
	readonly empty: ReadonlySet<string>
}

/** Errors: `UNSUPPORTED` naming objects whose folder would be taken for a file of the layout. */
export function planDump(choice: RestoreChoice): DumpPlan {
	const objects = [...choice.tables, ...choice.objects].map(({ path }) => path)
	const named = choice.directories.map(({ path }) => path)
	const all = new Set([...named, ...[...named, ...objects].flatMap(ancestorsOf)])
	const taken = [...all, ...objects].filter((path) => dumpLayout.isReservedName(path.slice(path.lastIndexOf('/') + 1)))
	if (taken.length > 0) {
		throw new BackupError(
			'UNSUPPORTED',
			`a dump cannot hold ${taken.slice(0, 10).join(', ')}: names like these are files of its layout`,
			{ advice: 'leave them out with --exclude, or restore them to other names with ydbackup restore --map' },
		)
	}
	const filled = new Set([...all, ...objects].flatMap(ancestorsOf))
	return {
		directories: Array.from(all).toSorted(comparePaths),
		objects,
		empty: new Set(Array.from(all).filter((path) => !filled.has(path))),
	}
}

/** The scheme as a dump has it, and what that leaves out. */
export function dumpScheme(
	scheme: ProtoText,
	preservePoolKinds: boolean,
): { readonly scheme: ProtoText; readonly leftOut: readonly string[] } {
	const leftOut = unknownFields(scheme)
	return {
		scheme: preservePoolKinds ? scheme : (withoutPools(scheme) ?? scheme),
		leftOut:
			leftOut.length === 0 ? [] : [`settings that older readers refuse: fields ${leftOut.slice(0, 10).join(', ')}`],
	}
}

/** What YDB's own restore is known to stumble over. */
export function warningsOf(scheme: ProtoText, { columns }: TableSchema): string[] {
	const pg = columns.filter(({ type }) => bareType(type).kind === 'pg').map(({ name }) => name)
	const warnings: string[] = []
	if (pg.length > 0) {
		warnings.push(
			`column ${pg.join(', ')} has a Pg type, which ydb tools restore is not known to take; ydbackup restore --from does`,
		)
	}
	if (isColumnTable(scheme)) {
		warnings.push(
			'it is a column table, of which older versions of ydb tools restore the scheme only; ydbackup restore --from restores its rows',
		)
	}
	return warnings
}

function unknownFields(tree: ProtoText, place = ''): string[] {
	return tree.flatMap(({ name, value }): string[] => {
		if (/^\d+$/u.test(name)) return [place + name]
		return value.kind === 'message' ? unknownFields(value.fields, `${place}${name}.`) : []
	})
}
