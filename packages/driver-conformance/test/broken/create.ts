import { BackupError, isBackupError } from '@ydbackup/core'
import type { Flaw } from './flaw.ts'

const all = ['conditional-create.conflict', 'conditional-create.race', 'conditional-create.large']

export const createFlaws: readonly Flaw[] = [
	{
		flaw: 'create-only is ignored: the last write wins',
		caughtBy: all,
		breaks: (good) => ({ put: (key, body, options) => good.put(key, body, { ...options, ifAbsent: false }) }),
	},
	{
		flaw: 'create-only looks first and writes then',
		caughtBy: ['conditional-create.race', 'conditional-create.large'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (options?.ifAbsent && (await good.stat(key)))
					throw new BackupError('STORAGE_ALREADY_EXISTS', `${key} exists`)
				return good.put(key, body, { ...options, ifAbsent: false })
			},
		}),
	},
	{
		flaw: 'create-only succeeds and does nothing where an object is',
		caughtBy: all,
		breaks: (good) => ({
			async put(key, body, options) {
				try {
					return await good.put(key, body, options)
				} catch (error) {
					if (isBackupError(error, 'STORAGE_ALREADY_EXISTS')) return (await good.stat(key))!
					throw error
				}
			},
		}),
	},
	{
		flaw: 'the conflict of create-only has another code',
		caughtBy: all,
		breaks: (good) => ({
			put: (key, body, options) =>
				good.put(key, body, options).catch((error: unknown) => {
					if (isBackupError(error, 'STORAGE_ALREADY_EXISTS')) throw new BackupError('STORAGE_PERMANENT', '412')
					throw error
				}),
		}),
	},
	{
		flaw: 'create-only remembers keys that were deleted',
		caughtBy: ['conditional-create.after-delete'],
		breaks: (good, _, common) => ({
			async put(key, body, options) {
				if (options?.ifAbsent && common.has(key)) throw new BackupError('STORAGE_ALREADY_EXISTS', `${key} exists`)
				const info = await good.put(key, body, options)
				if (options?.ifAbsent) common.set(key, true)
				return info
			},
		}),
	},
	{
		flaw: 'create-only holds for small objects alone',
		caughtBy: ['conditional-create.large'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (!options?.ifAbsent || body instanceof Uint8Array) return good.put(key, body, options)
				let size = 0
				for await (const part of body()) size += part.length
				return good.put(key, body, { ...options, ifAbsent: size < 500_000 })
			},
		}),
	},
]
