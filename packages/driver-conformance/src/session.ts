import { randomBytes } from 'node:crypto'
import { BackupError, isBackupError, isKey, type Storage } from '@ydbackup/core'
import { inFlight, keysOf } from './bytes.ts'
import type { Claim, Known, Listing, Trial } from './claim.ts'
import { CLAIMS } from './claims/index.ts'
import { described, within } from './expect.ts'
import { makeListing } from './listing.ts'
import type { ConformanceOptions } from './options.ts'
import { type Plan, PLANS } from './plan.ts'
import type { ClaimReport, Cleanup } from './report.ts'
import { type Denied, deniedText, hindrance, probeRights } from './rights.ts'
import { leakFinder, type Ledger, room } from './room.ts'

const CLEANUP_MS = 120_000
const WIDTH = 16

/** A run that goes claim by claim, for those that have a runner of their own. `runConformance` does it all. */
export interface Session {
	/** The first connection. Opens it when nobody has. */
	opened(): Promise<Storage>
	/** Looks which calls the store refuses to these credentials. Claims that then meet a refusal are skipped, not failed. Never throws. */
	rights(): Promise<Denied>
	/** Tries a claim. Never throws: what a driver does is an outcome. */
	check(claim: Claim, signal?: AbortSignal): Promise<ClaimReport>
	/** A part of the store for something else than a claim; it is removed with the rest. */
	room(name: string, signal: AbortSignal): Promise<Storage>
	readonly plan: Plan
	/** The text without the secrets that the options name. */
	hide(text: string): string
	/** Removes everything the run wrote and closes what it opened, within two minutes. Never throws. */
	finish(): Promise<Cleanup>
}

/** The claims that a level tries, in the order in which they are best tried. */
export function claimsFor(level: ConformanceOptions['level'] = 'quick'): readonly Claim[] {
	return CLAIMS.filter((claim) => claim.level === undefined || level !== 'quick')
}

/** Begins a run below a prefix of its own. Nothing is opened yet. */
export function startSession(options: ConformanceOptions): Session {
	const plan: Plan = { ...PLANS[options.level ?? 'quick'], ...options.plan }
	const root = `ydbackup-driver-check-${randomBytes(4).toString('hex')}/`
	const connections = new Map<number, Promise<Storage>>()
	const extra: Storage[] = []
	const leaks = leakFinder(options.secrets ?? [])
	let denied: Denied = {}
	let refusals = 0
	const ledger: Ledger = {
		keys: new Set(),
		calls: new Map(),
		failed(error) {
			leaks.look(error)
			if (isBackupError(error, 'STORAGE_PERMISSION')) refusals++
		},
	}
	const ending = new AbortController()
	const always = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal
	let heldUntil = 0
	let listing: Promise<Listing> | undefined

	// Not the signal of the run's end: the clean-up needs the store, and a store may mind what it was opened with.
	const opening = { signal: options.signal ?? new AbortController().signal }
	const open = (): Promise<Storage> =>
		within(
			plan.claimMs,
			'opening the store',
			options.open(opening).catch((error: unknown) => {
				leaks.look(error)
				throw error
			}),
		)
	const connection = (index: number): Promise<Storage> => {
		const known = connections.get(index)
		if (known) return known
		const made = open()
		connections.set(index, made)
		made.catch(() => connections.delete(index))
		return made
	}
	const roomOf = async (index: number, prefix: string, signal: AbortSignal): Promise<Storage> =>
		room(await connection(index), { prefix, signal, ledger })

	async function trialOf(claim: Claim, signal: AbortSignal): Promise<Trial> {
		const prefix = `${root}${claim.id}/`
		return {
			store: await roomOf(0, prefix, signal),
			prefix,
			plan,
			signal,
			options,
			another: (index = 1) => roomOf(index, prefix, signal),
			async fresh() {
				const storage = await open()
				extra.push(storage)
				return room(storage, { prefix, signal, ledger })
			},
			listing() {
				listing ??= roomOf(0, `${root}listing/`, always).then((store) => makeListing(store, plan.listed))
				listing.catch(() => (listing = undefined))
				return listing
			},
			holds: (until) => (heldUntil = Math.max(heldUntil, until.getTime())),
			leak: () => leaks.found(),
		}
	}

	async function attempt(
		claim: Claim,
		stop: AbortSignal | undefined,
	): Promise<Pick<ClaimReport, 'outcome' | 'detail'>> {
		const refusedBefore = refusals
		const time = new AbortController()
		const signal = AbortSignal.any([time.signal, always, ...(stop ? [stop] : [])])
		const stopped = Promise.withResolvers<never>()
		const tellStopped = (): void =>
			stopped.reject(new BackupError('INTERRUPTED', `stopped while checking that ${claim.title}`))
		try {
			if (signal.aborted) throw new BackupError('INTERRUPTED', 'stopped before it was tried')
			const { capabilities } = await connection(0)
			const known: Known = { capabilities, plan, options }
			const reason = hindrance(denied) ?? claim.skip?.(known)
			if (reason !== undefined) return { outcome: 'skipped', detail: reason }
			signal.addEventListener('abort', tellStopped, { once: true })
			stopped.promise.catch(() => undefined)
			const work = trialOf(claim, signal).then((trial) => claim.check(trial))
			await within(plan.claimMs, 'the claim', Promise.race([work, stopped.promise]))
			return { outcome: 'passed' }
		} catch (error) {
			const lacking = deniedText(denied)
			if (lacking !== undefined && refusals > refusedBefore) return { outcome: 'skipped', detail: lacking }
			const [waiting] = ledger.calls.values()
			const isLate = described(error).startsWith('the claim was not over')
			return {
				outcome: 'failed',
				detail: leaks.hide(`${described(error)}${isLate && waiting !== undefined ? `, while ${waiting.doing}` : ''}`),
			}
		} finally {
			signal.removeEventListener('abort', tellStopped)
			time.abort()
			await quiet()
		}
	}

	/** What was cut off may still write: it ends, within its bound, before anything else begins. */
	async function quiet(): Promise<void> {
		const over = Promise.allSettled([...ledger.calls.values()].map((call) => call.over))
		if (ledger.calls.size > 0) await within(plan.settleMs, 'what was stopped', over).catch(() => undefined)
		ledger.calls.clear()
	}

	async function remove(signal: AbortSignal): Promise<Cleanup> {
		const first = await connections.get(0)?.catch(() => undefined)
		if (!first || ledger.keys.size === 0) return { removed: 0, left: [] }
		const store = room(first, { prefix: '', signal, ledger: { ...ledger, keys: new Set() } })
		const problems: string[] = []
		const listedKeys = await keysOf(store, root).catch((error: unknown) => {
			problems.push(described(error))
			return []
		})
		// A key that is none was refused, or else it is nothing that may be handed to a delete.
		const keys = [...ledger.keys, ...listedKeys].filter((key) => isKey(key) && key.startsWith(root))
		const there = new Set(listedKeys)
		const undeleted: string[] = []
		const removable = heldUntil - Date.now()
		if (removable > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(removable * 1.1, CLEANUP_MS / 2)))
		await inFlight(WIDTH, new Set(keys), (key) =>
			// What no listing shows is deleted in case that the listing is wrong.
			store.delete(key).catch((error: unknown) => {
				undeleted.push(key)
				if (there.has(key)) problems.push(described(error))
			}),
		)
		const left = await keysOf(store, root).catch((error: unknown) => {
			problems.push(described(error))
			return undeleted
		})
		const still = new Set(left)
		const [problem] = problems
		return {
			removed: [...there].filter((key) => !still.has(key)).length,
			left: left.slice(0, 10),
			...(problem !== undefined && { problem: leaks.hide(problem) }),
		}
	}

	return {
		plan,
		hide: leaks.hide,
		opened: () => connection(0),
		async rights() {
			const time = new AbortController()
			const probe = roomOf(0, `${root}rights/`, AbortSignal.any([time.signal, always])).then(probeRights)
			// A store that is late, or a stop, is for the claims to tell.
			const stopped = new Promise<Denied>((resolve) => {
				always.addEventListener('abort', () => resolve({}), { once: true })
			})
			const either = Promise.race([probe, stopped])
			const found = await within(plan.claimMs, 'looking for the rights', either).catch((): Denied => ({}))
			time.abort()
			await quiet()
			denied = Object.fromEntries(Object.entries(found).map(([right, why]) => [right, leaks.hide(why)]))
			return denied
		},
		room: async (name, signal) => roomOf(0, `${root}${name}/`, AbortSignal.any([signal, always])),
		async check(claim, signal) {
			const begun = performance.now()
			const { id, group, title } = claim
			const outcome = await attempt(claim, signal)
			return { id, group, title, ...outcome, ms: Math.round(performance.now() - begun) }
		},
		async finish() {
			ending.abort()
			await quiet()
			const time = new AbortController()
			let result: Cleanup
			try {
				result = await within(CLEANUP_MS, 'the clean-up', remove(time.signal))
			} catch (error) {
				result = { removed: 0, left: [], problem: leaks.hide(described(error)) }
			}
			time.abort()
			const open = [...(await Promise.allSettled(connections.values()))]
				.filter((opening) => opening.status === 'fulfilled')
				.map(({ value }) => value)
			await Promise.allSettled(
				[...open, ...extra].map((storage) =>
					within(plan.settleMs, 'disposing of a store', storage[Symbol.asyncDispose]()),
				),
			)
			connections.clear()
			return result
		},
	}
}
