import { BackupError, isBackupError, type Storage } from '@ydbackup/core'
import type { Flaw } from './flaw.ts'

export const SECRET = 'canary-0a1b2c'

const denying = (): Partial<Storage> => {
	const deny = async (): Promise<never> => {
		throw new BackupError('STORAGE_PERMISSION', 'the store does not know these credentials')
	}
	return {
		put: deny,
		get: deny,
		stat: deny,
		delete: deny,
		async *list() {
			yield await deny()
		},
	}
}

const missing = (good: Storage, error: (key: string) => Error): Partial<Storage> => ({
	get: (key, options) =>
		good.get(key, options).catch((thrown: unknown) => {
			throw isBackupError(thrown, 'STORAGE_NOT_FOUND') ? error(key) : thrown
		}),
})

export const errorFlaws: readonly Flaw[] = [
	{
		flaw: 'errors have no codes',
		caughtBy: ['contract.get-absent', 'range.absent', 'permissions.codes'],
		breaks: (good) => missing(good, (key) => new Error(`NoSuchKey: ${key}`)),
	},
	{
		flaw: 'a missing object has the wrong code',
		caughtBy: ['contract.get-absent', 'range.absent'],
		breaks: (good) => missing(good, (key) => new BackupError('STORAGE_PERMISSION', `cannot read ${key}`)),
	},
	{
		flaw: 'a secret is in a message',
		caughtBy: ['permissions.secrets'],
		breaks: (good) =>
			missing(good, (key) => new BackupError('STORAGE_NOT_FOUND', `no https://x/${key}?signature=${SECRET}`)),
	},
	{
		flaw: 'a secret is in the cause of an error',
		caughtBy: ['permissions.secrets'],
		breaks: (good) =>
			missing(
				good,
				(key) =>
					new BackupError('STORAGE_NOT_FOUND', `there is no ${key}`, {
						cause: Object.assign(new Error('404'), { request: { headers: { authorization: `Bearer ${SECRET}` } } }),
					}),
			),
	},
	{
		flaw: 'the location shows a secret',
		caughtBy: ['permissions.secrets'],
		breaks: () => ({ location: `memory://user:${SECRET}@host/` }),
	},
	{
		flaw: 'a refusal is taken for absence by stat',
		caughtBy: ['permissions.refused'],
		breaks: () => ({}),
		options: {
			openRefused: async () => ({
				...(denying() as Storage),
				async [Symbol.asyncDispose]() {},
				stat: async () => undefined,
			}),
		},
	},
	{
		flaw: 'a refused put has the code of a passing failure',
		caughtBy: ['permissions.refused'],
		breaks: () => ({}),
		options: {
			openRefused: async () => ({
				...(denying() as Storage),
				async [Symbol.asyncDispose]() {},
				async put() {
					throw new BackupError('STORAGE_TRANSIENT', '403', { retry: 'later' })
				},
			}),
		},
	},
]
