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

export const deleteFlaws: readonly Flaw[] = [
	{
		flaw: 'delete of a missing object fails',
		caughtBy: ['contract.delete-absent'],
		breaks: (good) => ({
			async delete(key, options) {
				if (!(await good.stat(key, options))) throw new BackupError('STORAGE_NOT_FOUND', `there is no ${key}`)
				return good.delete(key, options)
			},
		}),
	},
	{
		flaw: 'delete removes all that begins with the key',
		caughtBy: ['contract.delete-one'],
		breaks: (good, objects) => ({
			async delete(key, options) {
				await good.delete(key, options)
				for (const other of [...objects.keys()]) if (other.startsWith(key)) await good.delete(other)
			},
		}),
	},
	{
		flaw: 'delete removes a directory',
		caughtBy: ['contract.delete-one'],
		breaks: (good, objects) => ({
			async delete(key, options) {
				await good.delete(key, options)
				for (const other of [...objects.keys()]) if (other.startsWith(`${key}/`)) await good.delete(other)
			},
		}),
	},
	{
		flaw: 'a deleted object is only hidden from listings',
		caughtBy: [
			'contract.delete',
			'conditional-create.after-delete',
			'consistency.delete',
			'consistency.workload',
			'retention.held',
			'retention.extend',
			'retention.never-shorter',
		],
		breaks: (good, _, common) => ({
			async delete(key) {
				common.set(key, true)
			},
			async put(key, body, options) {
				const info = await good.put(key, body, options)
				common.delete(key)
				return info
			},
			async *list(prefix, options) {
				for await (const info of good.list(prefix, options)) if (!common.has(info.key)) yield info
			},
		}),
	},
	{
		flaw: 'a deleted object comes back',
		caughtBy: ['consistency.delete'],
		breaks: (good, objects) => ({
			async delete(key, options) {
				const held = objects.get(key)
				await good.delete(key, options)
				if (held && key.includes('consistency.delete')) setTimeout(() => objects.set(key, held), 60)
			},
		}),
	},
]

export const abortFlaws: readonly Flaw[] = [
	{
		flaw: 'a put does not mind its signal while it runs',
		caughtBy: ['atomicity.aborted-put', 'resources.abort-put'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (options?.signal?.aborted) return good.put(key, body, options)
				return good.put(key, body, { ...options, signal: undefined })
			},
		}),
		options: { plan: { settleMs: 300 } },
	},
	{
		flaw: 'a call does not look at its signal before it begins',
		caughtBy: ['resources.abort-before'],
		breaks: (good) => ({ delete: (key) => good.delete(key) }),
	},
	{
		flaw: 'an aborted get ends as if it were whole',
		caughtBy: ['resources.abort-get'],
		breaks: (good) => ({
			async get(key, options) {
				const { info, bytes } = await good.get(key, options)
				return {
					info,
					bytes: (async function* () {
						try {
							yield* bytes
						} catch (error) {
							if (!isBackupError(error, 'INTERRUPTED')) throw error
						}
					})(),
				}
			},
		}),
	},
	{
		flaw: 'an aborted put fails without a code',
		caughtBy: ['resources.abort-put'],
		breaks: (good) => ({
			put: (key, body, options) => {
				const wasAborted = options?.signal?.aborted
				return good.put(key, body, options).catch((error: unknown) => {
					throw isBackupError(error, 'INTERRUPTED') && !wasAborted ? new DOMException('Aborted', 'AbortError') : error
				})
			},
		}),
	},
	{
		flaw: 'readers that go away early keep their connection',
		caughtBy: ['resources.left-early'],
		breaks: (good) => {
			let open = 0
			return {
				async get(key, options) {
					const { info, bytes } = await good.get(key, options)
					while (open >= 50) await new Promise((resolve) => setTimeout(resolve, 5))
					return {
						info,
						bytes: (async function* () {
							open++
							yield* bytes
							open--
						})(),
					}
				},
			}
		},
		options: { plan: { claimMs: 2000 } },
	},
	{
		flaw: 'fewer calls than promised can be in flight',
		caughtBy: ['resources.in-flight'],
		breaks: (good, _, common) => ({
			async put(key, body, options) {
				const puts = ((common.get('puts') as number | undefined) ?? 0) + 1
				common.set('puts', puts)
				try {
					await new Promise(setImmediate)
					if (puts > 32) throw new BackupError('STORAGE_TRANSIENT', 'too many connections', { retry: 'later' })
					return await good.put(key, body, options)
				} finally {
					common.set('puts', (common.get('puts') as number) - 1)
				}
			},
		}),
	},
	{
		flaw: 'dispose hangs',
		caughtBy: ['resources.dispose'],
		breaks: () => ({ [Symbol.asyncDispose]: () => new Promise<void>(() => undefined) }),
		options: { plan: { settleMs: 300 } },
	},
	{
		flaw: 'dispose fails',
		caughtBy: ['resources.dispose'],
		breaks: () => ({
			async [Symbol.asyncDispose]() {
				throw new Error('already closed')
			},
		}),
	},
]

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
			openRefused: async () => ({ ...(denying() as Storage), async [Symbol.asyncDispose]() {}, stat: async () => undefined }),
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

export const capabilityFlaws: readonly Flaw[] = [
	{
		flaw: 'a capability is claimed and its method is missing',
		caughtBy: ['contract.capabilities', 'contract.copy'],
		breaks: () => ({ copy: undefined as never }),
	},
	{
		flaw: 'a capability is had and not claimed',
		caughtBy: ['contract.capabilities'],
		breaks: (good) => ({ capabilities: { ...good.capabilities, serverSideCopy: { lacking: 'it was forgotten' } } }),
	},
	{
		flaw: 'copy makes an empty object',
		caughtBy: ['contract.copy'],
		breaks: (good) => ({
			async copy(from, to, options) {
				const info = await good.copy!(from, to, options)
				await good.put(to, new Uint8Array(0))
				return info
			},
		}),
	},
	{
		flaw: 'holding objects is claimed and not done',
		caughtBy: ['retention.held', 'retention.extend', 'retention.never-shorter'],
		breaks: (good) => ({
			put: (key, body, options) => good.put(key, body, { ...options, retainUntil: undefined }),
			async extendRetention() {},
		}),
	},
	{
		flaw: 'the delete of a held object pretends to work',
		caughtBy: ['retention.held', 'retention.extend', 'retention.never-shorter'],
		breaks: (good) => ({
			delete: (key, options) =>
				good.delete(key, options).catch((error: unknown) => {
					if (!isBackupError(error, 'STORAGE_PERMISSION')) throw error
				}),
		}),
	},
	{
		flaw: 'a hold is not extended',
		caughtBy: ['retention.extend'],
		breaks: () => ({ async extendRetention() {} }),
	},
	{
		flaw: 'a hold is shortened',
		caughtBy: ['retention.never-shorter'],
		breaks: (_, objects) => ({
			async extendRetention(key, until) {
				objects.get(key)!.heldUntil = until
			},
		}),
	},
	{
		flaw: 'a hold never ends',
		caughtBy: ['retention.ends'],
		breaks: (good, objects) => ({
			async delete(key, options) {
				if (objects.get(key)?.heldUntil) throw new BackupError('STORAGE_PERMISSION', `${key} is held`)
				return good.delete(key, options)
			},
		}),
	},
	{
		flaw: 'the removal of stale uploads removes every upload',
		caughtBy: ['faults.stale-uploads'],
		breaks: () => ({ abortStaleUploads: async () => 3 }),
	},
]
