import type { Driver } from '@ydbjs/core'
import { BackupError, type LeftSnapshot, type Snapshot } from '@ydbackup/core'
import { forEachAbreast } from '../call/abreast.ts'
import { kindOf } from '../scheme/kinds.ts'
import { identityOf } from '../scheme/walk.ts'
import { dropTable, listDirectory, removeDirectory } from './copies.ts'
import { openSnapshot, type SnapshotContext } from './take.ts'

/** Opens a snapshot of another process, when every copy is there and is the one that was made. */
export async function reopenSnapshot(
	context: SnapshotContext,
	left: LeftSnapshot,
	signal: AbortSignal | undefined,
): Promise<Snapshot> {
	const { control, database } = context
	const work = `${database}/${left.workDirectory}`
	const entries = await listDirectory(control, work, { signal })
	if (entries === undefined) throw gone(work, 'it is not there')
	const found = new Map(entries.map((entry) => [entry.name, entry]))
	const copies = new Map(left.copies.map((copy) => [copy.path, copy]))
	for (const { path } of left.tables) {
		const copy = copies.get(path)
		const entry = copy && found.get(copy.name)
		if (copy === undefined || entry === undefined) throw gone(work, `it has no copy of ${path}`)
		if (identityOf(entry) !== copy.identity) throw gone(work, `its copy of ${path} is another one than was made`)
	}
	const copyOf = new Map(left.copies.map(({ path, name }) => [path, `${work}/${name}`]))
	return openSnapshot(context, left, copyOf, (by) => dropWorkDirectory(control, work, by))
}

function gone(work: string, how: string): BackupError {
	return new BackupError('COPIES_GONE', `the copies in ${work} cannot be used: ${how}`, {
		advice: 'take the backup again: the moment that the copies were of is lost',
	})
}

/** Removes a work directory with the tables in it, and nothing below other directories: nobody of us makes any there. */
export async function dropWorkDirectory(control: Driver, work: string, signal: AbortSignal | undefined): Promise<void> {
	const entries = (await listDirectory(control, work, { signal })) ?? []
	const tables = entries.filter(({ type }) => kindOf(type) === 'row-table')
	// One table that cannot be dropped keeps no other one.
	await forEachAbreast(tables, ({ name }) => dropTable(control, `${work}/${name}`, { signal }), 'go on')
	await removeDirectory(control, work, { signal })
}
