import type { ErrorKind } from '@ydbackup/core'

/** What the shell sees. Stable: scripts branch on them; `docs/exit-codes.md` has the table. */
export const EXIT_CODES: Readonly<Record<ErrorKind, number>> = {
	unexpected: 1,
	usage: 2,
	damaged: 3,
	'not-found': 4,
	conflict: 5,
	database: 6,
	storage: 7,
	permission: 8,
	partial: 9,
	interrupted: 130,
}

export const DONE = 0

export function exitCodeOf(kind: ErrorKind): number {
	return EXIT_CODES[kind] ?? EXIT_CODES.unexpected
}
