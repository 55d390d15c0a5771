import { BackupError, DEFINED_KINDS } from '@ydbackup/core'

/** What people choose by kind. A directory is there too when something in it is chosen. */
export const KIND_NAMES: readonly string[] = ['table', 'directory', 'changefeed', ...DEFINED_KINDS]

export interface KindOptions {
	/** Only these kinds. Default: all. */
	readonly kinds?: readonly string[] | undefined
	readonly excludeKinds?: readonly string[] | undefined
}

/** Which kinds were chosen. */
export interface KindFilter {
	readonly isEverything: boolean
	takes(kind: string): boolean
}

/** Errors: `CONFIG_INVALID` for a kind that there is not. */
export function createKindFilter({ kinds = [], excludeKinds = [] }: KindOptions): KindFilter {
	const strange = [...kinds, ...excludeKinds].find((kind) => !KIND_NAMES.includes(kind))
	if (strange !== undefined) {
		throw new BackupError('CONFIG_INVALID', `${JSON.stringify(strange)} is no kind of object`, {
			advice: `kinds are ${KIND_NAMES.join(', ')}`,
		})
	}
	return {
		isEverything: kinds.length + excludeKinds.length === 0,
		takes: (kind) => (kinds.length === 0 || kinds.includes(kind)) && !excludeKinds.includes(kind),
	}
}

/** The name by which an object of that kind is chosen. */
export function kindName(kind: string): string {
	return kind === 'row-table' || kind === 'column-table' || kind === 'change-table' || kind === 'index-changes'
		? 'table'
		: kind
}
