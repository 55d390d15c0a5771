import type { ListOptions, ObjectInfo, Storage } from '@ydbackup/core'
import type { Flaw } from './flaw.ts'

/** A store whose listings go through a function. */
function relisted(
	good: Storage,
	change: (infos: AsyncIterable<ObjectInfo>, prefix: string) => AsyncIterable<ObjectInfo>,
): Partial<Storage> {
	return { list: (prefix: string, options?: ListOptions) => change(good.list(prefix, options), prefix) }
}

export const listFlaws: readonly Flaw[] = [
	{
		flaw: 'a listing ends after 1000 keys',
		caughtBy: ['list.complete'],
		breaks: (good) =>
			relisted(good, async function* (infos) {
				let count = 0
				for await (const info of infos) {
					if (count++ === 1000) return
					yield info
				}
			}),
	},
	{
		flaw: 'the last key of a full page is lost',
		caughtBy: ['list.complete', 'list.resumed'],
		breaks: (good) =>
			relisted(good, async function* (infos) {
				let count = 0
				for await (const info of infos) if (++count % 500 > 0) yield info
			}),
	},
	{
		flaw: 'the last key of a page comes on the next again',
		caughtBy: ['list.once'],
		breaks: (good) =>
			relisted(good, async function* (infos) {
				let count = 0
				for await (const info of infos) {
					yield info
					if (++count % 1000 === 0) yield info
				}
			}),
	},
	{
		flaw: 'keys come in the order of an alphabet',
		caughtBy: ['list.order'],
		breaks: (good) =>
			relisted(good, async function* (infos) {
				const sorted: ObjectInfo[] = []
				for await (const info of infos) sorted.push(info)
				yield* sorted.toSorted((a, b) => a.key.localeCompare(b.key))
			}),
	},
	{
		flaw: 'keys come in the order of their creation',
		caughtBy: ['list.order'],
		breaks: (good, objects) =>
			relisted(good, async function* (infos) {
				const found = new Map<string, ObjectInfo>()
				for await (const info of infos) found.set(info.key, info)
				for (const key of objects.keys()) if (found.has(key)) yield found.get(key)!
			}),
	},
	{
		flaw: 'a prefix is taken for a directory',
		caughtBy: ['list.prefix'],
		breaks: (good) =>
			relisted(good, async function* (infos, prefix) {
				const directory = prefix.endsWith('/') || prefix === '' ? prefix : `${prefix}/`
				for await (const info of infos) if (info.key.startsWith(directory)) yield info
			}),
	},
	{
		flaw: 'a listing has one level of directories',
		caughtBy: [
			'golden.repository',
			'golden.copy',
			'contract.round-trip',
			'keys.case',
			'keys.characters',
			'keys.longest',
			'list.prefix',
			'list.start-after',
		],
		breaks: (good) =>
			relisted(good, async function* (infos, prefix) {
				const level = prefix.slice(0, prefix.lastIndexOf('/') + 1)
				for await (const info of infos) if (!info.key.slice(level.length).includes('/')) yield info
			}),
	},
	{
		flaw: 'hidden keys are not listed',
		caughtBy: ['keys.characters'],
		breaks: (good) =>
			relisted(good, async function* (infos) {
				for await (const info of infos) if (!info.key.includes('/.')) yield info
			}),
	},
	{
		flaw: 'a listing tells no sizes',
		caughtBy: ['list.sizes'],
		breaks: (good) =>
			relisted(good, async function* (infos) {
				for await (const info of infos) yield { ...info, size: 0 }
			}),
	},
	{
		flaw: 'startAfter is ignored',
		caughtBy: ['list.start-after', 'list.resumed'],
		breaks: (good) => ({ list: (prefix, options) => good.list(prefix, { ...options, startAfter: undefined }) }),
	},
	{
		flaw: 'startAfter is inclusive',
		caughtBy: ['list.start-after', 'list.resumed'],
		breaks: (good) => ({
			async *list(prefix, options) {
				const { startAfter = '' } = options ?? {}
				for await (const info of good.list(prefix, { ...options, startAfter: undefined }))
					if (info.key >= startAfter) yield info
			},
		}),
	},
	{
		flaw: 'startAfter finds nothing when its key is not there',
		caughtBy: ['list.start-after'],
		breaks: (good) => ({
			async *list(prefix, options) {
				const { startAfter } = options ?? {}
				if (startAfter === undefined || (await good.stat(startAfter))) yield* good.list(prefix, options)
			},
		}),
	},
	{
		flaw: 'other connections do not list new objects',
		caughtBy: ['consistency.put', 'consistency.workload', 'atomicity.unfinished-put', 'atomicity.replacement'],
		breaks: (good) => {
			const own = new Set<string>()
			return {
				put(key, body, options) {
					own.add(key)
					return good.put(key, body, options)
				},
				async *list(prefix, options) {
					for await (const info of good.list(prefix, options)) if (own.has(info.key)) yield info
				},
			}
		},
	},
	{
		flaw: 'an aborted listing ends as if it were complete',
		caughtBy: ['resources.abort-list'],
		breaks: (good) => ({
			async *list(prefix, options) {
				if (options?.signal?.aborted) return yield* good.list(prefix, options)
				for await (const info of good.list(prefix, { ...options, signal: undefined })) {
					yield info
					if (options?.signal?.aborted) return
				}
			},
		}),
	},
]
