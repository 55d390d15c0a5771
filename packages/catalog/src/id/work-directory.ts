import type { RepositoryHeader } from '@ydbackup/format'
import { parseBackupId } from './backup-id.ts'

/** Where a run keeps its copies, relative to the database. */
export function workDirectoryOf(header: Pick<RepositoryHeader, 'id'>, id: string): string {
	return `${workDirectoryPrefix(header)}${id}`
}

/** How the names of the work directories of all runs of a repository begin. */
export function workDirectoryPrefix({ id }: Pick<RepositoryHeader, 'id'>): string {
	return `~ydbackup-${id}-`
}

/** Whether it is a directory at the root of the database that only runs of this repository make. */
export function isWorkDirectory(header: Pick<RepositoryHeader, 'id'>, path: string): boolean {
	const prefix = workDirectoryPrefix(header)
	return path.startsWith(prefix) && parseBackupId(path.slice(prefix.length)) !== undefined
}
