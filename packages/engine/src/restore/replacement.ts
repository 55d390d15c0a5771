import { ancestorsOf } from '../choose/object-path.ts'

/** Where the new rows of a table are gathered, and where the former table waits until all is done: both beside the table, under its rights. */
export interface Replacement {
	readonly staging: string
	readonly aside: string
	/** `swapping`: the server was asked and has not answered. */
	state: 'staged' | 'swapping' | 'swapped' | 'done'
}

/** Longest beginning of a table's name that goes into the names beside it; YDB's limit of a name is 255. */
const MOST_NAME = 180
const LEFT = /^~.+\.(\d{8}T\d{6}Z-[0-9a-z]{4})(?:-\d+)?\.(new|old)$/u

/** What tells the names of one run from those of any other. */
export function replacementStamp(now: Date, random: number): string {
	const time = now.toISOString().replaceAll(/[-:]|\.\d+/gu, '')
	return `${time}-${Math.floor(random * 36 ** 4)
		.toString(36)
		.padStart(4, '0')}`
}

/** Backups pass over names that begin with `~`. The number keeps names apart whose beginnings are alike. */
export function createReplacement(target: string, stamp: string, number: number): Replacement {
	const directory = ancestorsOf(target).at(-1)
	const name = target.slice(directory === undefined ? 0 : directory.length + 1)
	const short = name.length > MOST_NAME
	const base = `~${short ? name.slice(0, MOST_NAME) : name}.${stamp}${short ? `-${number}` : ''}`
	const place = directory === undefined ? base : `${directory}/${base}`
	return { staging: `${place}.new`, aside: `${place}.old`, state: 'staged' }
}

/** What a run that did not end has left under this name; undefined for any other name. */
export function leftoverOf(path: string): 'new' | 'old' | undefined {
	const found = LEFT.exec(path.slice(path.lastIndexOf('/') + 1))
	return found === null ? undefined : found[2] === 'new' ? 'new' : 'old'
}
