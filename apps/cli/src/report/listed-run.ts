import { hostname } from 'node:os'
import type { ListedRun as CatalogRun } from '@ydbackup/catalog'
import { printable } from '../output/printable.ts'
import { spellAge } from '../output/quantity.ts'

/** A run that has not ended: it still goes on, or it was stopped or killed and has left copies behind. */
export type ListedRun =
	| {
			/** `unknown`: it was begun on another machine, where its process cannot be seen. */
			readonly state: 'running' | 'left' | 'unknown'
			readonly id: string
			readonly database: string
			/** Where its copies are, relative to the database. */
			readonly workDirectory: string
			readonly startedAt: string
			readonly host: string
			readonly pid: number
			/** The backup collection that it shipped. */
			readonly collection?: string
	  }
	| {
			readonly state: 'damaged'
			readonly id: string
			readonly error: { readonly code: string; readonly message: string }
	  }

export function listedRun(run: CatalogRun): ListedRun {
	const { id, record, error } = run
	if (record === undefined) return { state: 'damaged', id, error: { code: error.code, message: error.message } }
	const { database, workDirectory, startedAt, host, pid, collection } = record
	const state = host !== hostname() ? 'unknown' : isRunning(pid) ? 'running' : 'left'
	return { state, id, database, workDirectory, startedAt, host, pid, ...(collection && { collection }) }
}

function isRunning(pid: number): boolean {
	if (!Number.isSafeInteger(pid) || pid <= 0) return false
	try {
		process.kill(pid, 0)
		return true
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM'
	}
}

export function listedRunText(run: ListedRun, now: Date): string {
	if (run.state === 'damaged') return `unfinished: ${printable(run.id)}: ${printable(run.error.message)}`
	const { id, database, workDirectory, startedAt, host, pid, state, collection } = run
	const next =
		collection === undefined
			? `drop its copies in ${printable(`${database}/${workDirectory}`)}`
			: `the next collection ship ${printable(collection)} on that machine clears it away`
	const what = {
		running: `goes on as process ${pid}`,
		left: `was cut off; ${next}`,
		unknown: `on ${printable(host)}; if it does not go on there, ${next}`,
	}[state]
	return `unfinished: ${id}, begun ${spellAge(now.getTime() - Date.parse(startedAt))} ago, ${what}`
}
