import { BackupError } from '@ydbackup/core'
import type { Flaw } from './flaw.ts'

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
		caughtBy: ['contract.delete', 'conditional-create.after-delete', 'consistency.delete', 'consistency.workload'],
		breaks: (good, objects, common) => ({
			async delete(key, options) {
				const held = objects.get(key)
				await good.delete(key, options)
				if (held) objects.set(key, held)
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
				if (held && key.includes('consistency.delete')) setImmediate(() => objects.set(key, held))
			},
		}),
	},
]
