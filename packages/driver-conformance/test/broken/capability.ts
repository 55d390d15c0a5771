import { BackupError, isBackupError } from '@ydbackup/core'
import type { Flaw } from './flaw.ts'

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
