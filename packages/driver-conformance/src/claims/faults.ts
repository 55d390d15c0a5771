import { content, keysOf } from '../bytes.ts'
import { type Claim, claimsOf } from '../claim.ts'
import { demand, sameKeys } from '../expect.ts'

export const faultClaims: readonly Claim[] = claimsOf('faults', {
	leftovers: {
		title: 'puts that failed leave nothing that a listing shows',
		async check({ store, plan }) {
			for (let index = 0; index < 3; index++)
				await store
					.put(`dir/object${index}`, async function* () {
						for (let at = 0; at < plan.largeBytes; at += 500_000) yield content(`leftover ${at}`, 500_000)
						throw new Error('the body failed')
					})
					.catch(() => undefined)
			sameKeys(await keysOf(store), [], 'the listing after failed puts')
		},
	},
	'stale-uploads': {
		title: 'the removal of stale uploads spares what is not stale',
		async check({ store }) {
			if (!store.abortStaleUploads) return
			await store.put('object', content('stale', 100))
			// Of the year 1970: other writers may be at work in this store.
			const removed = await store.abortStaleUploads(new Date(0))
			demand(removed === 0, `${removed} uploads were removed as if they were older than the year 1970`)
			demand((await store.stat('object')) !== undefined, 'the removal of stale uploads has removed an object')
		},
	},
	'body-opened-late': {
		title: 'a body that is slow to begin is waited for',
		async check({ store }) {
			await store.put('object', async function* () {
				await new Promise((resolve) => setTimeout(resolve, 100))
				yield content('late', 1000)
			})
			demand((await store.stat('object'))?.size === 1000, 'an object whose body was slow to begin is not whole')
		},
	},
	'usable-after-failures': {
		title: 'a connection is as good as new after calls that failed',
		async check({ store, plan }) {
			for (let index = 0; index < 20; index++) {
				await Promise.allSettled([
					store.stat('a//b'),
					store.put(`k${index}`, async function* () {
						yield content('x', 1000)
						throw new Error('the body failed')
					}),
				])
			}
			const begun = performance.now()
			await store.put('object', content('after', 1000))
			demand((await store.stat('object'))?.size === 1000, 'a put after failures has not worked')
			demand(performance.now() - begun < plan.settleMs * 2, 'a put after failures took too long')
		},
	},
})
