import { BackupError, isBackupError } from '@ydbackup/core'
import type { Flaw } from './flaw.ts'

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
			const slots = { open: 0 }
			return {
				async get(key, options) {
					const { info, bytes } = await good.get(key, options)
					while (slots.open >= 50) await new Promise((resolve) => setTimeout(resolve, 5))
					return {
						info,
						bytes: (async function* () {
							slots.open++
							yield* bytes
							slots.open--
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
