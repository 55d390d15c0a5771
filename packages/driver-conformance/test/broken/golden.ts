import { collected, type Flaw, isStream } from './flaw.ts'

const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

export const goldenFlaws: readonly Flaw[] = [
	{
		flaw: 'JSON is written again in a form of its own',
		caughtBy: ['golden.repository', 'golden.copy'],
		breaks: (good) => ({
			async put(key, body, options) {
				if (!key.endsWith('.json')) return good.put(key, body, options)
				const info = await good.put(key, body, options)
				const value: unknown = JSON.parse(Buffer.from(await collected(body)).toString())
				await good.put(key, Buffer.from(JSON.stringify(value, undefined, 1)))
				return info
			},
		}),
	},
	{
		flaw: 'what looks compressed is unwrapped on its way out',
		caughtBy: ['golden.repository', 'golden.copy'],
		breaks: (good) => ({
			async get(key, options) {
				const { info, bytes } = await good.get(key, options)
				return {
					info,
					bytes: (async function* () {
						for await (const part of bytes) yield ZSTD.equals(part.subarray(0, 4)) ? part.subarray(4) : part
					})(),
				}
			},
		}),
	},
	{
		flaw: 'buffers of a get are taken back when a put has seen them',
		caughtBy: ['golden.copy'],
		breaks: (good, _, common) => {
			const mine = (common.get('buffers') ?? new WeakSet()) as WeakSet<Uint8Array>
			common.set('buffers', mine)
			return {
				async get(key, options) {
					const { info, bytes } = await good.get(key, options)
					return {
						info,
						bytes: (async function* () {
							for await (const part of bytes) {
								mine.add(part)
								yield part
							}
						})(),
					}
				},
				async put(key, body, options) {
					if (!isStream(body)) return good.put(key, body, options)
					let isMine = false
					const seen = async function* (): AsyncGenerator<Uint8Array> {
						for await (const part of body()) {
							isMine ||= mine.has(part)
							yield part
						}
					}
					const info = await good.put(key, seen, options)
					if (isMine) await good.put(key, new Uint8Array(info.size))
					return info
				},
			}
		},
	},
]
