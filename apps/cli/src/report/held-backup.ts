import { printable } from '../output/printable.ts'
import { spellTime } from '../output/quantity.ts'

/** A hold: that a backup must not be deleted. */
export interface ShownHold {
	/** RFC 3339; undefined for a hold that lasts until it is released. */
	readonly until: string | undefined
	readonly reason: string | undefined
	/** RFC 3339: when it was set. */
	readonly at: string
}

/** The result of `backup hold`. */
export interface HeldBackup extends ShownHold {
	readonly repository: string
	readonly id: string
}

/** The result of `backup release`. */
export interface ReleasedBackup {
	readonly repository: string
	readonly id: string
	/** Those that there were, also those that were over. */
	readonly holds: readonly ShownHold[]
}

export function holdText({ until, reason }: ShownHold): string {
	const end = until === undefined ? 'until it is released' : `until ${spellTime(until)}`
	return reason === undefined ? end : `${end}: ${printable(reason)}`
}

export function heldBackupText(held: HeldBackup): string {
	return `backup ${held.id} is held ${holdText(held)}`
}

export function releasedBackupText({ id, holds }: ReleasedBackup): string {
	if (holds.length === 0) return `backup ${id} was not held`
	return [`backup ${id} is held no more; it was held`, ...holds.map((hold) => `  ${holdText(hold)}`)].join('\n')
}
