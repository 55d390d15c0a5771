import { printProtoText, parseProtoText, dumpLayout } from '@ydbackup/format'

import type { Note } from '../backup/backup-plan.ts'
import type { KindFilter } from '../choose/kind-filter.ts'
import { comparePaths } from '../choose/object-path.ts'
import type { Selection } from '../choose/selection.ts'
import { requestConcurrency } from '../flow/concurrency.ts'
import { runAll } from '../flow/run-all.ts'
import type { StoredDirectory, StoredTable } from '../part/contents.ts'
import { objectMissing } from '../part/damage.ts'
import { type Finding, findingOf } from '../part/finding.ts'
import type { StoredObject } from '../part/stored-object.ts'
import { type Foreign, type ForeignDirectory, type ForeignObject, join } from './open-foreign.ts'
import { isDefinedObject, readForeignObject } from './read-object.ts'
import { type ReadForeignOptions, readForeignTable } from './read-table.ts'
import { readSmall } from './read-small.ts'

/** What can be restored of the chosen objects, and what cannot. Paths are those of the source. */
export interface ForeignInspection {
	readonly tables: readonly StoredTable[]
	readonly directories: readonly StoredDirectory[]
	readonly objects: readonly StoredObject[]
	readonly findings: readonly Finding[]
	readonly problems: readonly { readonly path: string; readonly message: string }[]
	readonly notes: readonly Note[]
	readonly warnings: readonly { readonly path?: string; readonly message: string }[]
}

/** Reads every small file of the chosen objects. Throws only when the store cannot be asked. */
export async function inspectForeign(
	foreign: Foreign,
	selection: Selection,
	kinds: KindFilter,
	options: ReadForeignOptions,
): Promise<ForeignInspection> {
	const { signal } = options
	const { storage } = foreign.files
	const tables: StoredTable[] = []
	const directories: StoredDirectory[] = []
	const objects: StoredObject[] = []
	const findings: Finding[] = []
	const isAll = selection.isEverything && options.schemes
	const problems = (isAll ? foreign.leftOut : []).map(({ path, reason }) => ({ path, message: reason }))
	const notes: Note[] = []
	const warnings: { path?: string; message: string }[] = foreign.warnings.map((message) => ({ message }))

	async function readTable(object: ForeignObject, stop: AbortSignal): Promise<void> {
		const read = await readForeignTable(object, { ...options, signal: stop })
		const { path } = object
		if (read.table !== undefined) tables.push(read.table)
		findings.push(...read.findings)
		problems.push(...read.problems.map((message) => ({ path, message })))
		notes.push(...read.notes.map((note) => ({ path, ...note })))
		warnings.push(...read.warnings.map((message) => ({ path, message })))
	}

	async function readObject(object: Parameters<typeof readForeignObject>[0], stop: AbortSignal): Promise<void> {
		const read = await readForeignObject(object, { ...options, signal: stop })
		const { path } = object
		if (read.object !== undefined) objects.push(read.object)
		findings.push(...read.findings)
		problems.push(...read.problems.map((message) => ({ path, message })))
		warnings.push(...read.warnings.map((message) => ({ path, message })))
	}

	async function readDirectory({ path, permissionsKey: key }: ForeignDirectory, stop: AbortSignal): Promise<void> {
		if (key === undefined || !options.rights) return void directories.push({ path, permissionsText: '' })
		try {
			const given = parseProtoText(await readSmall(foreign.files, key, stop), key)
			const own = given.filter(({ name }) => name !== 'path' && name !== 'operation_params')
			const { known, unknown } = options.sink.knownPart?.('ModifyPermissionsRequest', own) ?? {
				known: own,
				unknown: [],
			}
			if (unknown.length > 0) problems.push({ path, message: `of its rights ${unknown.join(', ')} are not restored` })
			directories.push({ path, permissionsText: printProtoText(known, { unknownFields: 'keep' }) })
		} catch (error) {
			findings.push(findingOf(error, key, 'data', path))
		}
	}

	const chosen = foreign.objects.filter(({ path, found }) => selection.takes(path) && kinds.takes(found.kind))
	await runAll(chosen, requestConcurrency(storage), signal, async (object, stop) => {
		if (object.found.kind === 'table') return readTable(object, stop)
		if (!options.schemes) return undefined
		if (isDefinedObject(object)) return readObject(object, stop)
		problems.push({ path: object.path, message: notRestored(object) })
		return undefined
	})
	for (const { path, folder } of foreign.unknown.filter((one) => selection.takes(one.path))) {
		const key = join(folder, dumpLayout.SCHEME)
		findings.push(findingOf(objectMissing(key), key, 'data', path))
	}
	await runAll(foreign.directories, requestConcurrency(storage), signal, readDirectory)
	return {
		tables: tables.toSorted(byPath),
		directories: directories.toSorted(byPath),
		objects: objects.toSorted(byPath),
		findings: findings.toSorted((a, b) => comparePaths(a.key, b.key)),
		problems: problems.toSorted(byPath),
		notes: notes.toSorted(byPath),
		warnings,
	}
}

/** What is nothing that a restore makes: databases of a cluster, and the system's own views. */
function notRestored({ found }: ForeignObject): string {
	const key = join(found.folder, found.marker)
	if (found.kind === 'database') return `it is a database of its own: restore from its folder; ${key} is not restored`
	return `it is a ${found.kind}, which the server makes itself: ${key} is not restored`
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
	return comparePaths(a.path, b.path)
}
