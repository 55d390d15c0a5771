import { randomBytes } from 'node:crypto'

import { isKnownDead, thisOwner } from '@ydbackup/catalog'
import { BackupError, isBackupError } from '@ydbackup/core'
import { canonicalJson, Fields, parseJson } from '@ydbackup/format'

import { sleep } from '../flow/sleep.ts'
import type { Checkpoint } from './checkpoint.ts'

export const BEAT_MS = 10_000
/** Whoever has not beaten for as long is taken for dead. No clock is compared: the other one's beats are counted. */
export const SILENCE_MS = 35_000
const LOOK_MS = 1_000
const MAX_BYTES = 1 << 20

/** The process that is at work with a checkpoint, and its hold on it. */
export interface Ownership extends AsyncDisposable {
	/** Aborts with `LEASE_LOST` when another process has taken over. */
	readonly signal: AbortSignal
	readonly isLost: boolean
	/** Looks whether it is ours, unless that was seen lately. Errors: `LEASE_LOST`. */
	assertHeld(): Promise<void>
	/** The same, whatever was seen. */
	assertHeldNow(): Promise<void>
	/** Ends it: somebody else may go on at once. */
	release(signal: AbortSignal): Promise<void>
}

interface Beat {
	/** Empty when nobody is at work. */
	readonly token: string
	readonly beat: number
	readonly host: string | undefined
	readonly pid: number | undefined
	readonly scope: string | undefined
}

/** Waits until nobody else is at work with a checkpoint. Errors: `LEASED` as soon as a sign of life is seen. */
export async function assertAbandoned(
	checkpoint: Checkpoint,
	{ silenceMs = SILENCE_MS, signal }: { silenceMs?: number | undefined; signal?: AbortSignal | undefined },
): Promise<void> {
	const first = await readBeat(checkpoint, signal)
	if (first === undefined || first.token === '' || isDead(first)) return
	const doing = 'waiting for a sign of life of another restore'
	const until = performance.now() + silenceMs
	while (performance.now() < until) {
		const now = await readBeat(checkpoint, signal)
		if (now?.token === '' || now === undefined) return
		if (now.token !== first.token || now.beat !== first.beat) throw atWork(now)
		await sleep(Math.min(LOOK_MS, silenceMs / 4), signal, doing)
	}
}

/** Whether nobody is at work with a checkpoint, as far as can be known without waiting. */
export async function isKnownAbandoned(checkpoint: Checkpoint, signal: AbortSignal | undefined): Promise<boolean> {
	const beat = (await readBeat(checkpoint, signal)) ?? (await readCreator(checkpoint, signal))
	return beat !== undefined && (beat.token === '' || isDead(beat))
}

function isDead({ host, pid, scope }: Beat): boolean {
	return host !== undefined && pid !== undefined && isKnownDead({ host, pid, scope })
}

function atWork({ host = 'unknown', pid = 0 }: Beat): BackupError {
	return new BackupError('LEASED', `a restore to these places is at work: process ${pid} on ${host}`, {
		advice: 'wait until it has ended, or stop it',
		retry: 'later',
	})
}

/** Says with a new checkpoint which process it is of, until that one has taken it. */
export function creatorText(): string {
	return canonicalJson({ token: 'new', beat: 0, ...thisOwner() })
}

/** Takes a checkpoint that nobody is at work with, and beats from now on. */
export async function takeOwnership(checkpoint: Checkpoint, signal: AbortSignal | undefined): Promise<Ownership> {
	const token = randomBytes(8).toString('hex')
	const owner = thisOwner()
	const lost = new AbortController()
	let beat = 0
	let heldAt = performance.now()
	const write = async (options: { signal?: AbortSignal | undefined }): Promise<void> => {
		await checkpoint.put([['owner', canonicalJson({ token, beat: beat++, ...owner })]], options)
		heldAt = performance.now()
	}
	const look = async (): Promise<void> => {
		const found = await readBeat(checkpoint, undefined).catch((error: unknown) => {
			if (isBackupError(error, 'PATH_NOT_FOUND')) return undefined
			throw error
		})
		if (found?.token === token) {
			heldAt = performance.now()
			return
		}
		const error = new BackupError('LEASE_LOST', `another process has taken over the restore of ${checkpoint.path}`, {
			advice: 'nothing more is written here: see that one to its end',
		})
		lost.abort(error)
		throw error
	}
	await write({ signal })
	let isBeating = false
	const timer = setInterval(() => {
		if (isBeating || lost.signal.aborted) return
		isBeating = true
		// A database that cannot be reached is found by whoever writes rows.
		void look()
			.then(() => write({}))
			.catch(() => undefined)
			.finally(() => {
				isBeating = false
			})
	}, BEAT_MS)
	timer.unref()

	return {
		signal: lost.signal,
		get isLost() {
			return lost.signal.aborted
		},
		async assertHeld() {
			if (lost.signal.aborted) throw lost.signal.reason
			if (performance.now() - heldAt > 2 * BEAT_MS) await look()
		},
		assertHeldNow: look,
		async release(stop) {
			clearInterval(timer)
			await checkpoint.put([['owner', canonicalJson({ token: '', beat })]], { signal: stop })
		},
		async [Symbol.asyncDispose]() {
			clearInterval(timer)
		},
	}
}

async function readBeat(checkpoint: Checkpoint, signal: AbortSignal | undefined): Promise<Beat | undefined> {
	const [entry] = await checkpoint.read('owner', { signal })
	return entry && decodeBeat(entry[1], checkpoint.path)
}

async function readCreator(checkpoint: Checkpoint, signal: AbortSignal | undefined): Promise<Beat | undefined> {
	const text = await checkpoint.creator({ signal })
	return text === undefined ? undefined : decodeBeat(text, checkpoint.path)
}

function decodeBeat(text: string, where: string): Beat {
	const complain = (what: string): BackupError =>
		new BackupError('FORMAT_INVALID', `the owner in ${where} ${what}`, { advice: 'drop that table by hand' })
	const fields = new Fields(parseJson(Buffer.from(text), { maxBytes: MAX_BYTES }, complain), '', complain)
	return {
		token: fields.text('token'),
		beat: fields.count('beat'),
		host: fields.textIf('host'),
		pid: fields.countIf('pid'),
		scope: fields.textIf('scope'),
	}
}
