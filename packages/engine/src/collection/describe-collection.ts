import type { Repository } from '@ydbackup/catalog'
import {
	type CollectionAdmin,
	type CollectionLink,
	type ErrorCode,
	isBackupError,
	throwIfInterrupted,
} from '@ydbackup/core'

import { chainState, STREAM_HOURS } from './chain-state.ts'
import { allShipped } from './shipped-links.ts'

export interface DescribeCollectionOptions {
	readonly admin: CollectionAdmin
	readonly name: string
	/** Where links may have been shipped to. */
	readonly repository?: Repository | undefined
	/** Ask the server how many rows each link has: a full scan of it. */
	readonly countRows?: boolean | undefined
	readonly streamHours?: number | undefined
	readonly signal?: AbortSignal | undefined
}

export interface DescribedLink extends CollectionLink {
	readonly state: 'complete' | 'running' | 'failed'
	readonly tables: number
	/** What its tables take in the cluster, as the server estimates it. */
	readonly storedBytes: number
	/** Of the change tables, for an increment. */
	readonly rows?: number | undefined
	/** The backup that it became; undefined where it was not shipped or nobody looked. */
	readonly backup?: string | undefined
	/** Why it is no link of a whole chain, which the server's RESTORE would not say; undefined when it is. */
	readonly gap?: string | undefined
}

export interface DescribedCollection {
	readonly collection: string
	readonly database: string
	/** Of the newest chain, relative to the database. The server tells members nowhere else. */
	readonly tables: readonly string[]
	readonly links: readonly DescribedLink[]
	/** Links that are in the repository and not in the cluster any more. */
	readonly shippedOnly: readonly { readonly link: string; readonly backup: string }[]
	/** What is in the way of the next increment; undefined when nothing is. */
	readonly obstacle:
		| { readonly code: ErrorCode; readonly reason?: string; readonly message: string; readonly advice?: string }
		| undefined
	/** How long changes have been collected for the next increment, and for how long they are kept. */
	readonly stream: { readonly ageMs: number | undefined; readonly keptMs: number }
}

/** Everything that can be seen of a collection from outside. Errors: `PATH_NOT_FOUND`. */
export async function describeCollection(options: DescribeCollectionOptions): Promise<DescribedCollection> {
	const { admin, repository, signal, streamHours = STREAM_HOURS } = options
	const source = admin.open(options.name)
	const { links, members, streamAgeMs, obstacle } = await chainState(source, options)
	const shipped = repository && (await allShipped(repository, source, { signal }))
	const described: DescribedLink[] = []
	const findGap = gapFinder()
	for (const link of links) {
		throwIfInterrupted(signal, `looking at ${link.name}`)
		const { tables } = await source.contents(link, { signal })
		const state = await source.progress(link, { signal })
		const paths = tables.map(({ path }) => path)
		let storedBytes = 0n
		let rows = 0n
		for (const table of tables) {
			storedBytes += await source.storedBytes(link, table, { signal })
			if (options.countRows === true) rows += await source.countRows(link, table, { signal })
		}
		described.push({
			...link,
			state,
			tables: tables.length,
			storedBytes: Number(storedBytes),
			...(options.countRows === true && { rows: Number(rows) }),
			backup: shipped?.get(link.name)?.id,
			gap: findGap(link, state, paths),
		})
	}
	const there = new Set(links.map(({ name }) => name))
	return {
		collection: source.name,
		database: source.database,
		tables: members,
		links: described,
		shippedOnly: Array.from(shipped ?? [])
			.filter(([link]) => !there.has(link))
			.map(([link, { id }]) => ({ link, backup: id }))
			.toSorted((a, b) => (a.link < b.link ? -1 : 1)),
		obstacle: obstacle && {
			code: obstacle.code,
			message: obstacle.message,
			...(obstacle.reason !== undefined && { reason: obstacle.reason }),
			...(obstacle.advice !== undefined && { advice: obstacle.advice }),
		},
		stream: { ageMs: streamAgeMs, keptMs: streamHours * 3_600_000 },
	}
}

/** Looks at links in their order, each against the full backup of its chain. */
function gapFinder(): (
	link: CollectionLink,
	state: DescribedLink['state'],
	paths: readonly string[],
) => string | undefined {
	let members: readonly string[] | undefined
	let broken: string | undefined
	return ({ name, kind }, state, paths) => {
		if (kind === 'full') {
			members = paths
			broken = undefined
			return paths.length === 0 ? 'it holds no table' : undefined
		}
		if (members === undefined) return 'no full backup stands before it'
		if (broken !== undefined) return `it builds upon ${broken}`
		const there = new Set(paths)
		const lost = members.find((path) => !there.has(path))
		const gap =
			state === 'failed'
				? 'the server could not write it'
				: lost === undefined
					? undefined
					: `no change table for ${lost}`
		if (gap !== undefined) broken = name
		return gap
	}
}

export interface ListedCollection {
	readonly name: string
	readonly fulls: number
	readonly increments: number
	readonly newest: CollectionLink | undefined
}

/** The collections of a database, by name. */
export async function listCollections(
	admin: CollectionAdmin,
	signal: AbortSignal | undefined,
): Promise<ListedCollection[]> {
	const listed: ListedCollection[] = []
	for (const name of await admin.names({ signal })) {
		throwIfInterrupted(signal, `looking at the collection ${name}`)
		try {
			const links = await admin.open(name).links({ signal })
			const fulls = links.filter(({ kind }) => kind === 'full').length
			listed.push({ name, fulls, increments: links.length - fulls, newest: links.at(-1) })
		} catch (error) {
			// Dropped meanwhile.
			if (!isBackupError(error, 'PATH_NOT_FOUND')) throw error
		}
	}
	return listed
}
