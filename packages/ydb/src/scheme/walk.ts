import { type Entry, ListDirectoryResultSchema, SchemeServiceDefinition } from '@ydbjs/api/scheme'
import type { Driver } from '@ydbjs/core'
import { isBackupError, type SourceObject } from '@ydbackup/core'
import { bounded } from '../call/bounded.ts'
import { resultOf } from '../call/operation.ts'
import { patiently } from '../call/patience.ts'
import { isSkipped, kindOf, spellKind } from './kinds.ts'
import { permissionsOf } from './permissions.ts'

const CALL_MS = 30_000

/** What the client and the server say of an object. */
export function objectOf(path: string, entry: Entry): SourceObject {
	const identity = identityOf(entry)
	return {
		path,
		kind: kindOf(entry.type),
		serverKind: spellKind(entry.type),
		permissions: permissionsOf(entry),
		...(identity === undefined ? {} : { identity }),
	}
}

/** When it was created, by the server's plan: no two objects are created by one step and one transaction at one path. */
export function identityOf({ createdAt }: Entry): string | undefined {
	if (createdAt === undefined || (createdAt.planStep === 0n && createdAt.txId === 0n)) return undefined
	return `${createdAt.planStep}/${createdAt.txId}`
}

const byName = (a: Entry, b: Entry): number => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))

/** Every object below a database: a parent before its children, siblings in order of their bytes. Listings run a few ahead. */
export async function* walk(
	driver: Driver,
	database: string,
	signal: AbortSignal | undefined,
): AsyncGenerator<SourceObject> {
	const client = driver.createClient(SchemeServiceDefinition)
	const list = (path: string): Promise<Entry[]> => {
		const absolute = path === '' ? database : `${database}/${path}`
		const doing = `list ${absolute}`
		return patiently({ doing, signal }, async () => {
			const answer = await bounded(signal, CALL_MS, (bound) =>
				client.listDirectory({ path: absolute }, { signal: bound }),
			)
			return resultOf(ListDirectoryResultSchema, answer, doing).children.toSorted(byName)
		}).catch((error: unknown) => {
			// A directory that was removed after its parent was listed has nothing below it.
			if (path !== '' && isBackupError(error, 'PATH_NOT_FOUND')) return []
			throw error
		})
	}
	async function* below(path: string, listing: Promise<Entry[]>): AsyncGenerator<SourceObject> {
		const children = await listing
		const kept = children.filter(
			({ name, type }) => !(kindOf(type) === 'directory' && isSkipped(name, path)) && !name.startsWith('~'),
		)
		const ahead = new Map<string, Promise<Entry[]>>()
		const start = (entry: Entry | undefined): void => {
			if (!entry || kindOf(entry.type) !== 'directory' || ahead.has(entry.name)) return
			const begun = list(path === '' ? entry.name : `${path}/${entry.name}`)
			begun.catch(() => {})
			ahead.set(entry.name, begun)
		}
		for (const [at, entry] of kept.entries()) {
			for (let next = at; next < at + 4; next++) start(kept[next])
			const full = path === '' ? entry.name : `${path}/${entry.name}`
			yield objectOf(full, entry)
			const listing = ahead.get(entry.name)
			if (!listing) continue
			yield* below(full, listing)
			ahead.delete(entry.name)
		}
	}
	yield* below('', list(''))
}
