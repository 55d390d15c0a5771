import { isBackupError, type Storage } from '@ydbackup/core'
import { content, keysOf, read } from '../bytes.ts'
import { type Claim, claimsOf, type Trial } from '../claim.ts'
import { demand, described, refused } from '../expect.ts'
import type { OpenStore } from '../options.ts'

/** Calls that fail on every store. */
function failures(store: Storage): readonly (readonly [string, () => Promise<unknown>])[] {
	return [
		['get of a missing object', () => read(store, 'missing', 0)],
		['get of what is no key', () => read(store, 'a//b', 0)],
		['stat of what is no key', () => store.stat('a//b')],
		['put to what is no key', () => store.put('a//b', new Uint8Array(1))],
		['put of a wrong size', () => store.put('wrong', content('x', 10), { size: 11 })],
		['put with a wrong hash', () => store.put('wrong', content('x', 10), { sha256: '0'.repeat(64) })],
	]
}

/** Opens a store below the claim's prefix, uses it, and closes it. What opening throws is the outcome too. */
async function using(trial: Trial, open: OpenStore, work: (store: Storage) => Promise<unknown>): Promise<void> {
	const store = await open({ signal: trial.signal })
	try {
		await work(store)
	} finally {
		await store[Symbol.asyncDispose]()
	}
}

export const permissionClaims: readonly Claim[] = claimsOf('permissions', {
	codes: {
		title: 'every failure is a BackupError with a code of storage',
		async check({ store }) {
			for (const [what, work] of failures(store)) {
				const error = await work().then(
					() => undefined,
					(thrown: unknown) => thrown,
				)
				if (error === undefined) continue
				demand(
					isBackupError(error) && error.code.startsWith('STORAGE_'),
					`${what} failed without a code of storage: ${described(error)}`,
				)
			}
		},
	},
	refused: {
		title: 'credentials that the store does not know fail with STORAGE_PERMISSION, never as absence',
		skip: ({ options }) => (options.openRefused ? undefined : 'no such credentials were given'),
		async check(trial) {
			const key = `${trial.prefix}object`
			for (const [what, work] of [
				['get', (store: Storage) => read(store, key, 0)],
				['stat', (store: Storage) => store.stat(key)],
				['list', (store: Storage) => keysOf(store, trial.prefix)],
				['put', (store: Storage) => store.put(key, new Uint8Array(1))],
				['delete', (store: Storage) => store.delete(key)],
			] as const)
				await refused(
					using(trial, trial.options.openRefused!, work),
					`${what} with credentials that the store does not know`,
					'STORAGE_PERMISSION',
				)
		},
	},
	'read-only': {
		title: 'credentials that may only read can read, and fail to write with STORAGE_PERMISSION',
		skip: ({ options }) => (options.openReadOnly ? undefined : 'no such credentials were given'),
		async check(trial) {
			await trial.store.put('object', content('read-only', 100))
			await using(trial, trial.options.openReadOnly!, async (reader) => {
				const key = `${trial.prefix}object`
				demand((await reader.stat(key))?.size === 100, 'stat does not find an object that may be read')
				demand((await read(reader, key, 100)).length === 100, 'get does not read an object that may be read')
				await refused(
					reader.put(`${trial.prefix}new`, new Uint8Array(1)),
					'put with credentials that may only read',
					'STORAGE_PERMISSION',
				)
				await refused(reader.delete(key), 'delete with credentials that may only read', 'STORAGE_PERMISSION')
			})
		},
	},
	secrets: {
		title: 'no error of the whole run shows a secret, and the location shows none',
		skip: ({ options }) => (options.secrets?.length ? undefined : 'no secrets were named'),
		async check({ store, leak, options }) {
			for (const [, work] of failures(store)) await work().catch(() => undefined)
			const isShown = options.secrets?.some((secret) => secret !== '' && store.location.includes(secret))
			demand(isShown !== true, 'the location of the store shows a secret')
			const found = leak()
			demand(found === undefined, `a secret was shown in ${found}`)
		},
	},
})
