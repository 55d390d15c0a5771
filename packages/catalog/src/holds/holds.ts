import { randomBytes } from 'node:crypto'

import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { canonicalJson, Fields, layout, parseJson } from '@ydbackup/format'

import { parseBackupId } from '../id/backup-id.ts'
import { readWhole } from '../read/read-whole.ts'

export interface HoldTerms {
	/** Undefined for a hold that lasts until it is released. */
	readonly until?: Date | undefined
	/** For people. */
	readonly reason?: string | undefined
}

/** That a backup must not be deleted. */
export interface Hold {
	readonly id: string
	/** RFC 3339; undefined for a hold that lasts until it is released. */
	readonly until: string | undefined
	readonly reason: string | undefined
	/** RFC 3339, by the clock of whoever set it. */
	readonly at: string
	readonly key: string
}

const MAX_HOLD_BYTES = 4 << 10
const TIME: readonly [RegExp, string] = [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u, 'time']

/** Sets one more hold on a backup: those that are there stay. */
export async function putHold(
	storage: Storage,
	id: string,
	{ until, reason }: HoldTerms,
	now: Date,
	{ signal }: CallOptions = {},
): Promise<Hold> {
	const key = layout.holdKey(id, randomBytes(8).toString('hex'))
	const hold = { at: now.toISOString(), until: until?.toISOString(), reason }
	const bytes = Buffer.from(canonicalJson({ ydbackup: 'hold', version: 1, id, ...hold }))
	await storage.put(key, bytes, { size: bytes.length, signal })
	return { id, key, ...hold }
}

/** All holds, by backup, those whose time is over too. One that cannot be read holds without end: nobody knows until when it was meant. */
export async function listHolds(
	storage: Storage,
	options: CallOptions & { readonly id?: string | undefined } = {},
): Promise<Map<string, Hold[]>> {
	const { id: wanted, signal } = options
	const holds = new Map<string, Hold[]>()
	const prefix = wanted === undefined ? layout.holdsRoot : `${layout.holdsRoot}${wanted}/`
	for await (const { key } of storage.list(prefix, { signal })) {
		const [, id, ...rest] = key.split('/')
		if (id === undefined || rest.length !== 1 || parseBackupId(id) === undefined) continue
		const hold = await readHold(storage, id, key, signal)
		if (hold !== undefined) holds.set(id, [...(holds.get(id) ?? []), hold])
	}
	return holds
}

/** The hold that lasts longest, of those that still hold; undefined when there is none. */
export function activeHold(holds: readonly Hold[] | undefined, now: Date): Hold | undefined {
	const active = (holds ?? []).filter(({ until }) => until === undefined || Date.parse(until) > now.getTime())
	return active.toSorted((a, b) => endOf(b) - endOf(a))[0]
}

/** A hold as people read it: `it is held until … (audit)`. */
export function holdText({ until, reason }: Hold): string {
	return `it is held${until === undefined ? '' : ` until ${until}`}${reason === undefined ? '' : ` (${reason})`}`
}

const endOf = ({ until }: Hold): number => (until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until))

async function readHold(
	storage: Storage,
	id: string,
	key: string,
	signal: AbortSignal | undefined,
): Promise<Hold | undefined> {
	function complain(what: string, cause?: unknown): BackupError {
		return new BackupError('FORMAT_INVALID', `${key} ${what}`, { cause })
	}
	try {
		const tooLarge = (): BackupError => complain('is too large')
		const bytes = await readWhole(storage, key, MAX_HOLD_BYTES, tooLarge, { signal })
		const fields = new Fields(parseJson(bytes, { maxBytes: MAX_HOLD_BYTES }, complain), '', complain)
		return {
			id,
			key,
			at: fields.text('at', { like: TIME }),
			until: fields.textIf('until', { like: TIME }),
			reason: fields.textIf('reason'),
		}
	} catch (error) {
		if (isBackupError(error, 'STORAGE_NOT_FOUND')) return undefined
		if (!isBackupError(error, 'FORMAT_INVALID')) throw error
		return { id, key, at: new Date(0).toISOString(), until: undefined, reason: undefined }
	}
}
