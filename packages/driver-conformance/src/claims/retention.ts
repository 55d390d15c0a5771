import { content, pause, read } from '../bytes.ts'
import { type Claim, claimsOf, needs, type Trial } from '../claim.ts'
import { refused, sameBytes } from '../expect.ts'

const skip = needs('retention')

/** A moment so many thirds of the plan's time ahead; the clean-up waits for it. */
function ahead({ plan, holds }: Trial, thirds: number): Date {
	const until = new Date(Date.now() + (plan.holdMs * thirds) / 3)
	holds(until)
	return until
}

async function isHeld({ store }: Trial, when: string): Promise<void> {
	await refused(store.delete('object'), `the delete of an object that is held ${when}`, 'STORAGE_PERMISSION')
	sameBytes(await read(store, 'object', 500), content('held', 500), `the object that is held ${when}`)
}

/** Past the moment by a little: two clocks are in play. */
const waitFor = ({ signal }: Trial, until: Date): Promise<void> =>
	pause(Math.max(0, until.getTime() - Date.now()) + 20, signal)

export const retentionClaims: readonly Claim[] = claimsOf('retention', {
	held: {
		title: 'an object that is held cannot be deleted: STORAGE_PERMISSION',
		skip,
		async check(trial) {
			await trial.store.put('object', content('held', 500), { retainUntil: ahead(trial, 3) })
			await isHeld(trial, 'since its put')
		},
	},
	extend: {
		title: 'a hold can be extended',
		level: 'full',
		skip,
		async check(trial) {
			const first = ahead(trial, 1)
			await trial.store.put('object', content('held', 500), { retainUntil: first })
			await trial.store.extendRetention!('object', ahead(trial, 3))
			await waitFor(trial, first)
			await isHeld(trial, 'for longer than at first')
		},
	},
	'never-shorter': {
		title: 'a hold is never shortened',
		level: 'full',
		skip,
		async check(trial) {
			await trial.store.put('object', content('held', 500), { retainUntil: ahead(trial, 3) })
			const earlier = ahead(trial, 1)
			// A driver may refuse, or do nothing.
			await trial.store.extendRetention!('object', earlier).catch(() => undefined)
			await waitFor(trial, earlier)
			await isHeld(trial, 'after an attempt to shorten it')
		},
	},
	ends: {
		title: 'an object can be deleted when its hold is over',
		level: 'full',
		skip,
		async check(trial) {
			const until = ahead(trial, 1)
			await trial.store.put('object', content('held', 500), { retainUntil: until })
			await waitFor(trial, new Date(until.getTime() + Math.min(2000, trial.plan.holdMs / 3)))
			await trial.store.delete('object')
		},
	},
})
