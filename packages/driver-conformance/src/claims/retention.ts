import { content, pause, read } from '../bytes.ts'
import { type Claim, claimsOf, needs, type Trial } from '../claim.ts'
import { refused, sameBytes } from '../expect.ts'

const skip = needs('retention')
const MOST_DOUBLINGS = 4

interface Hold {
	readonly key: string
	readonly until: Date
	/** A third of the way. */
	readonly early: Date
}

/** Tries with a hold; again with one of twice the length when it was over before the store had been asked everything. */
async function held(trial: Trial, work: (hold: Hold) => Promise<void>): Promise<void> {
	for (let doublings = 0; ; doublings++) {
		const ms = trial.plan.holdMs * 2 ** doublings
		const now = Date.now()
		const hold = { key: `object${doublings}`, until: new Date(now + ms), early: new Date(now + ms / 3) }
		trial.holds(hold.until)
		try {
			return await work(hold)
		} catch (error) {
			if (Date.now() < hold.until.getTime() || doublings === MOST_DOUBLINGS) throw error
		}
	}
}

async function refusesDelete({ store }: Trial, key: string, when: string): Promise<void> {
	await refused(store.delete(key), `the delete of an object that is held ${when}`, 'STORAGE_PERMISSION')
	sameBytes(await read(store, key, 500), content('held', 500), `the object that is held ${when}`)
}

/** Past the moment by a little: two clocks are in play. */
const waitFor = ({ signal, plan }: Trial, moment: Date): Promise<void> =>
	pause(Math.max(0, moment.getTime() - Date.now()) + Math.min(1000, plan.holdMs / 10), signal)

export const retentionClaims: readonly Claim[] = claimsOf('retention', {
	held: {
		title: 'an object that is held cannot be deleted: STORAGE_PERMISSION',
		skip,
		check: (trial) =>
			held(trial, async ({ key, until }) => {
				await trial.store.put(key, content('held', 500), { retainUntil: until })
				await refusesDelete(trial, key, 'since its put')
			}),
	},
	extend: {
		title: 'a hold can be extended',
		level: 'full',
		skip,
		check: (trial) =>
			held(trial, async ({ key, until, early }) => {
				await trial.store.put(key, content('held', 500), { retainUntil: early })
				await trial.store.extendRetention!(key, until)
				await waitFor(trial, early)
				await refusesDelete(trial, key, 'for longer than at first')
			}),
	},
	'never-shorter': {
		title: 'a hold is never shortened',
		level: 'full',
		skip,
		check: (trial) =>
			held(trial, async ({ key, until, early }) => {
				await trial.store.put(key, content('held', 500), { retainUntil: until })
				// A driver may refuse, or do nothing.
				await trial.store.extendRetention!(key, early).catch(() => undefined)
				await waitFor(trial, early)
				await refusesDelete(trial, key, 'after an attempt to shorten it')
			}),
	},
	ends: {
		title: 'an object can be deleted when its hold is over',
		level: 'full',
		skip,
		check: (trial) =>
			held(trial, async ({ key, early }) => {
				await trial.store.put(key, content('held', 500), { retainUntil: early })
				await waitFor(trial, early)
				await trial.store.delete(key)
			}),
	},
})
