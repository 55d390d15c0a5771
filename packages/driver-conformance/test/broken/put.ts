import { isBackupError, type ObjectInfo, throwIfInterrupted } from '@ydbackup/core'
import { collected, type Flaw, isStream } from './flaw.ts'

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const soon = (): Promise<undefined> => new Promise((resolve) => setImmediate(() => resolve(undefined)))
const LARGE = 500_000

export const putFlaws: readonly Flaw[] = [
	{
		flaw: 'a part of the object is visible while it is put',
		caughtBy: ['atomicity.unfinished-put', 'atomicity.replacement'],
		breaks: (good, objects) => ({
			async put(key, body, options) {
				if (!isStream(body) || options?.ifAbsent) return good.put(key, body, options)
				const old = objects.get(key)
				let bytes = new Uint8Array(0)
				const visible = async function* (): AsyncGenerator<Uint8Array> {
					for await (const part of body()) {
						bytes = Buffer.concat([bytes, part])
						objects.set(key, { bytes, modifiedAt: new Date(), heldUntil: undefined })
						yield part
					}
				}
				try {
					return await good.put(key, visible, options)
				} catch (error) {
					if (old) objects.set(key, old)
					else objects.delete(key)
					throw error
				}
			},
		}),
	},
	{
		flaw: 'the old object is deleted before the new one is there',
		caughtBy: ['atomicity.replacement', 'atomicity.body-fails-over-old'],
		breaks: (good, objects) => ({
			async put(key, body, options) {
				if (isStream(body) && !options?.ifAbsent) objects.delete(key)
				return good.put(key, body, options)
			},
		}),
	},
	{
		flaw: 'what arrived of a body that failed is kept',
		caughtBy: ['atomicity.body-fails', 'atomicity.body-fails-over-old', 'faults.leftovers'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (!isStream(body)) return good.put(key, body, options)
				const parts: Uint8Array[] = []
				const kept = async function* (): AsyncGenerator<Uint8Array> {
					for await (const part of body()) {
						parts.push(part)
						yield part
					}
				}
				try {
					return await good.put(key, kept, options)
				} catch (error) {
					if (!isBackupError(error) && !options?.signal?.aborted) await good.put(key, Buffer.concat(parts))
					throw error
				}
			},
		}),
	},
	{
		flaw: 'the pieces of a body are kept and not copied',
		caughtBy: ['integrity.memory-in-turn'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (!isStream(body)) return good.put(key, body, options)
				const kept = async function* (): AsyncGenerator<Uint8Array> {
					const parts: Uint8Array[] = []
					for await (const part of body()) parts.push(part)
					yield* parts
				}
				return good.put(key, kept, options)
			},
		}),
	},
	{
		flaw: 'a failed put leaves a temporary object',
		caughtBy: ['faults.leftovers'],
		breaks: (good) => ({
			async put(key, body, options) {
				try {
					return await good.put(key, body, options)
				} catch (error) {
					if (!isBackupError(error)) await good.put(`${key}.part`, new Uint8Array(1))
					throw error
				}
			},
		}),
	},
	{
		flaw: 'a put succeeds although its body failed',
		caughtBy: ['atomicity.body-fails'],
		breaks: (good) => ({
			put: (key, body, options) =>
				good.put(key, body, options).catch((error: unknown): ObjectInfo => {
					if (isBackupError(error)) throw error
					return { key, size: 0 }
				}),
		}),
	},
	{
		flaw: 'the error of a body is wrapped',
		caughtBy: ['atomicity.body-fails'],
		breaks: (good) => ({
			put: (key, body, options) =>
				good.put(key, body, options).catch((error: unknown) => {
					throw isBackupError(error) ? error : new Error('the upload failed', { cause: error })
				}),
		}),
	},
	{
		flaw: 'a put of a large stream succeeds before the object is there',
		caughtBy: ['contract.large', 'range.large', 'atomicity.unfinished-put', 'atomicity.replacement'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (!isStream(body) || options?.ifAbsent || options?.size !== undefined || options?.sha256 !== undefined)
					return good.put(key, body, options)
				let size = 0
				const { promise: read, resolve } = Promise.withResolvers<void>()
				const { promise: finish, resolve: goOn } = Promise.withResolvers<void>()
				const slow = async function* (): AsyncGenerator<Uint8Array> {
					for await (const part of body()) {
						size += part.length
						yield part
					}
					if (size < LARGE) return
					resolve()
					await finish
				}
				const put = good.put(key, slow, { ...options, signal: undefined })
				put.catch(() => undefined)
				await Promise.race([read, put, aborted(options?.signal)])
				if (size < LARGE || options?.signal?.aborted) {
					throwIfInterrupted(options?.signal, `writing ${key}`)
					return put
				}
				void later(30).then(goOn)
				return { key, size }
			},
		}),
	},
	{
		flaw: 'an aborted put stores its object later',
		caughtBy: ['atomicity.aborted-put'],
		breaks: (good) => ({
			async put(key, body, options) {
				const wasAborted = options?.signal?.aborted
				try {
					return await good.put(key, body, options)
				} catch (error) {
					if (!wasAborted && options?.signal?.aborted && isStream(body))
						setImmediate(() => void good.put(key, new Uint8Array(10)))
					throw error
				}
			},
		}),
	},
	{
		flaw: 'an aborted put succeeds with what it has',
		caughtBy: ['atomicity.aborted-put', 'resources.abort-put'],
		breaks: (good) => ({
			async put(key, body, options) {
				throwIfInterrupted(options?.signal, `writing ${key}`)
				if (!isStream(body)) return good.put(key, body, options)
				const wanted = async function* (): AsyncGenerator<Uint8Array> {
					const parts = body()[Symbol.asyncIterator]()
					for (;;) {
						const next = await Promise.race([parts.next(), aborted(options?.signal)])
						if (!next || next.done) return
						yield next.value
					}
				}
				return good.put(key, wanted, { ...options, signal: undefined })
			},
		}),
	},
	{
		flaw: 'a stream is not read at all when its hash is declared',
		caughtBy: ['golden.copy', 'integrity.right-declarations'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (!isStream(body) || options?.sha256 === undefined) return good.put(key, body, options)
				const info = await good.put(key, body, options)
				await good.put(key, new Uint8Array(0))
				return info
			},
		}),
	},
	{
		flaw: 'the hash uses up the stream, and the object is empty',
		caughtBy: ['golden.copy', 'integrity.right-declarations'],
		breaks: (good) => ({
			async put(key, body, options) {
				const info = await good.put(key, body, options)
				if (isStream(body) && options?.sha256 !== undefined)
					await good.put(key, async function* () {
						yield* [new Uint8Array(0)]
					})
				return info
			},
		}),
	},
	{
		flaw: 'a small stream is read twice into one object',
		caughtBy: ['contract.stream', 'contract.reopened'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (!isStream(body) || Object.keys(options ?? {}).some((name) => name !== 'signal'))
					return good.put(key, body, options)
				const twice = async function* (): AsyncGenerator<Uint8Array> {
					let size = 0
					for await (const part of body()) {
						size += part.length
						yield part
					}
					if (size >= 2000 && size <= 5000) yield* body()
				}
				return good.put(key, twice, options)
			},
		}),
	},
	{
		flaw: 'a body is opened once, for all puts of it',
		caughtBy: ['contract.reopened'],
		breaks: (good, _, common) => ({
			put(key, body, options) {
				if (!isStream(body)) return good.put(key, body, options)
				const known = (common.get('streams') ?? new WeakMap()) as WeakMap<object, AsyncIterable<Uint8Array>>
				common.set('streams', known)
				const stream = known.get(body) ?? body()
				known.set(body, stream)
				return good.put(key, () => stream, options)
			},
		}),
	},
	{
		flaw: 'pieces of a stream are put in the order of their sizes',
		caughtBy: ['contract.stream'],
		breaks: (good) => ({
			put(key, body, options) {
				if (!isStream(body)) return good.put(key, body, options)
				return good.put(
					key,
					async function* () {
						let small: Uint8Array | undefined
						for await (const part of body()) {
							if (small) yield part
							else if (part.length === 1) {
								small = part
								continue
							} else yield part
							if (small) yield small
							small = undefined
						}
						if (small) yield small
					},
					options,
				)
			},
		}),
	},
	{
		flaw: 'the bytes of the caller are kept, not copied',
		caughtBy: ['contract.bytes-are-copied'],
		breaks: (good, objects) => ({
			async put(key, body, options) {
				const info = await good.put(key, body, options)
				if (!isStream(body)) objects.set(key, { ...objects.get(key)!, bytes: body })
				return info
			},
		}),
	},
	{
		flaw: 'empty objects are lost',
		caughtBy: ['golden.repository', 'golden.copy', 'contract.empty'],
		breaks: (good) => ({
			async put(key, body, options) {
				const info = await good.put(key, body, options)
				if (info.size === 0) await good.delete(key)
				return info
			},
		}),
	},
	{
		flaw: 'a second put does not replace the object',
		caughtBy: ['contract.stat-size', 'contract.overwrite', 'atomicity.replacement'],
		breaks: (good, objects) => ({
			async put(key, body, options) {
				const old = objects.get(key)
				const info = await good.put(key, body, options)
				if (old) objects.set(key, old)
				return info
			},
		}),
	},
	{
		flaw: 'puts to one key at the same time mix their pieces',
		caughtBy: ['atomicity.concurrent-puts'],
		breaks: (good, _, common) => ({
			async put(key, body, options) {
				if (!isStream(body) || options?.ifAbsent) return good.put(key, body, options)
				const running = (common.get(key) ?? { puts: 0, parts: [] }) as { puts: number; parts: Uint8Array[] }
				common.set(key, running)
				running.puts++
				let mixed = false
				try {
					const info = await good.put(
						key,
						async function* () {
							for await (const part of body()) {
								mixed ||= running.puts > 1
								running.parts.push(part)
								yield part
							}
						},
						options,
					)
					if (mixed) await good.put(key, Buffer.concat(running.parts))
					return info
				} finally {
					if (--running.puts === 0) common.delete(key)
				}
			},
		}),
	},
	{
		flaw: 'puts at the same time get the bytes of each other',
		caughtBy: ['golden.repository', 'golden.copy', 'consistency.own-bytes', 'consistency.workload'],
		breaks: (good, _, common) => ({
			async put(key, body, options) {
				if (isStream(body)) return good.put(key, body, options)
				common.set('scratch', Uint8Array.from(body))
				await new Promise(setImmediate)
				return good.put(key, common.get('scratch') as Uint8Array, options)
			},
		}),
	},
	{
		flaw: 'a stream that is slow to begin counts as empty',
		caughtBy: ['faults.body-opened-late'],
		breaks: (good) => ({
			put(key, body, options) {
				if (!isStream(body)) return good.put(key, body, options)
				return good.put(
					key,
					async function* () {
						const parts = body()[Symbol.asyncIterator]()
						const first = await Promise.race([parts.next(), soon()])
						if (!first || first.done) return
						yield first.value
						for (let next = await parts.next(); !next.done; next = await parts.next()) yield next.value
					},
					options,
				)
			},
		}),
	},
	{
		flaw: 'a wrong hash is accepted',
		caughtBy: ['integrity.wrong-hash', 'integrity.wrong-size-large'],
		breaks: (good) => ({ put: (key, body, options) => good.put(key, body, { ...options, sha256: undefined }) }),
	},
	{
		flaw: 'a wrong size is accepted',
		caughtBy: ['integrity.wrong-size', 'integrity.wrong-size-large'],
		breaks: (good) => ({ put: (key, body, options) => good.put(key, body, { ...options, size: undefined }) }),
	},
	{
		flaw: 'a body of a wrong size is refused and stored nevertheless',
		caughtBy: ['integrity.wrong-size', 'integrity.wrong-size-large'],
		breaks: (good) => ({
			async put(key, body, options) {
				try {
					return await good.put(key, body, options)
				} catch (error) {
					if (isBackupError(error, 'STORAGE_INTEGRITY') && options?.size !== undefined && !options.sha256)
						await good.put(key, await collected(body))
					throw error
				}
			},
		}),
	},
]

function aborted(signal: AbortSignal | undefined): Promise<undefined> {
	return new Promise((resolve) => {
		if (signal?.aborted) resolve(undefined)
		signal?.addEventListener('abort', () => resolve(undefined), { once: true })
	})
}
