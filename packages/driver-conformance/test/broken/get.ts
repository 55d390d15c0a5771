import { BackupError, isBackupError } from '@ydbackup/core'
import { type Flaw, reread } from './flaw.ts'

export const getFlaws: readonly Flaw[] = [
	{
		flaw: 'a large object ends a byte early',
		caughtBy: [
			'contract.sizes',
			'contract.large',
			'atomicity.unfinished-put',
			'atomicity.replacement',
			'conditional-create.large',
			'resources.left-early',
		],
		breaks: (good) =>
			reread(good, async function* (bytes, size) {
				let at = 0
				for await (const part of bytes) {
					at += part.length
					yield size > 500_000 && at === size ? part.subarray(0, part.length - 1) : part
				}
			}),
	},
	{
		flaw: 'one bit is flipped',
		caughtBy: ['contract.sizes', 'integrity.every-byte'],
		breaks: (good) =>
			reread(good, async function* (bytes, size) {
				for await (const part of bytes) {
					if (size === 65_536) part[40_000]! ^= 4
					yield part
				}
			}),
	},
	{
		flaw: 'small objects are taken for text',
		caughtBy: ['integrity.every-byte'],
		breaks: (good) =>
			reread(good, async function* (bytes, size) {
				for await (const part of bytes)
					yield size < 48 ? Buffer.from(Buffer.from(part).toString('latin1').replaceAll('\r\n', '\n'), 'latin1') : part
			}),
	},
	{
		flaw: 'the bytes that a get yields are those of the store',
		caughtBy: ['contract.bytes-are-copied'],
		breaks: (good, objects) => ({
			async get(key, options) {
				const { info, bytes } = await good.get(key, options)
				if (options?.range || info.size !== 1000) return { info, bytes }
				return {
					info,
					bytes: (async function* () {
						yield objects.get(key)!.bytes
					})(),
				}
			},
		}),
	},
	{
		flaw: 'a range starts a byte late',
		caughtBy: ['range.exact', 'range.large'],
		breaks: (good) => ({
			async get(key, options) {
				const { range } = options ?? {}
				const size = (await good.stat(key))?.size ?? 0
				const isShiftable = range && range.offset > 0 && range.length && range.offset + range.length < size
				return good.get(key, isShiftable ? { ...options, range: { ...range, offset: range.offset + 1 } } : options)
			},
		}),
	},
	{
		flaw: 'a range has a byte more, as where its end is inclusive',
		caughtBy: ['range.exact', 'range.large'],
		breaks: (good) => ({
			async get(key, options) {
				const { range } = options ?? {}
				const size = (await good.stat(key))?.size ?? 0
				const isShort = range && (range.length ?? 0) > 0 && range.offset + range.length! < size
				return good.get(key, isShort ? { ...options, range: { ...range, length: range.length! + 1 } } : options)
			},
		}),
	},
	{
		flaw: 'a range is ignored and the whole object comes',
		caughtBy: ['range.exact', 'range.empty', 'range.large'],
		breaks: (good) => ({
			async get(key, options) {
				const { bytes, info } = await good.get(key, options)
				await bytes[Symbol.asyncIterator]().return?.()
				return info.size > 0 ? good.get(key, { ...options, range: undefined }) : good.get(key, options)
			},
		}),
	},
	{
		flaw: 'a range beyond the end is cut off',
		caughtBy: ['range.beyond'],
		breaks: (good) => ({
			async get(key, options) {
				const { range } = options ?? {}
				const size = (await good.stat(key))?.size ?? 0
				const isCut = range?.length !== undefined && range.offset < size && range.offset + range.length > size
				return good.get(key, isCut ? { ...options, range: { offset: range.offset } } : options)
			},
		}),
	},
	{
		flaw: 'a range that starts beyond the end is empty',
		caughtBy: ['range.beyond', 'contract.empty'],
		breaks: (good) => ({
			async get(key, options) {
				const { range } = options ?? {}
				const info = await good.stat(key)
				if (!info || !range || !(range.offset >= info.size)) return good.get(key, options)
				return { info, bytes: (async function* () {})() }
			},
		}),
	},
	{
		flaw: 'an empty range yields the rest',
		caughtBy: ['range.empty'],
		breaks: (good) => ({
			get: (key, options) =>
				good.get(key, options?.range?.length === 0 ? { ...options, range: { offset: options.range.offset } } : options),
		}),
	},
	{
		flaw: 'a range that is none is taken for the whole object',
		caughtBy: ['range.invalid'],
		breaks: (good) => ({
			get(key, options) {
				const { offset = 0, length = 0 } = options?.range ?? {}
				const isRange = Number.isInteger(offset) && offset >= 0 && length >= 0
				return good.get(key, isRange ? options : { ...options, range: undefined })
			},
		}),
	},
	{
		flaw: 'a range of a missing object is taken for one beyond the end',
		caughtBy: ['range.absent'],
		breaks: (good) => ({
			get: (key, options) =>
				good.get(key, options).catch((error: unknown) => {
					if (options?.range && isBackupError(error, 'STORAGE_NOT_FOUND'))
						throw new BackupError('STORAGE_PERMANENT', `${key} has no such bytes`)
					throw error
				}),
		}),
	},
	{
		flaw: 'stat tells blocks, not bytes',
		caughtBy: ['contract.stat-size', 'atomicity.unfinished-put', 'atomicity.replacement'],
		breaks: (good) => ({
			async stat(key, options) {
				const info = await good.stat(key, options)
				return info && info.size > 65_536 ? { ...info, size: Math.ceil(info.size / 512) * 512 } : info
			},
		}),
	},
	{
		flaw: 'get tells another size than the object has',
		caughtBy: ['contract.stat-size'],
		breaks: (good) => ({
			async get(key, options) {
				const { info, bytes } = await good.get(key, options)
				return { info: { ...info, size: info.size + 1 }, bytes }
			},
		}),
	},
	{
		flaw: 'stat of a missing object throws',
		caughtBy: ['contract.stat-absent'],
		breaks: (good) => ({
			async stat(key, options) {
				const info = await good.stat(key, options)
				if (info) return info
				throw new BackupError('STORAGE_NOT_FOUND', `there is no ${key}`)
			},
		}),
	},
]
