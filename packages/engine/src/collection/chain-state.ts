import { BackupError, type CollectionLink, type CollectionSource } from '@ydbackup/core'

/** The server sets no retention for the streams behind increments; that of change feeds is the default. Not verified against a server. */
export const STREAM_HOURS = 24
const HOUR_MS = 3_600_000

export interface ChainState {
	/** All links in the cluster, in the order of their names. */
	readonly links: readonly CollectionLink[]
	/** Tables of the newest chain, as its last link has them; empty without a full backup. */
	readonly members: readonly string[]
	/** For how long changes have been collected for the next increment: since the newest link, at most. Undefined without a link. */
	readonly streamAgeMs: number | undefined
	/** Why the server's next increment would be none of this chain, as far as can be seen from outside. */
	readonly obstacle: BackupError | undefined
}

export interface ChainStateOptions {
	readonly streamHours?: number | undefined
	readonly signal?: AbortSignal | undefined
}

/** Looks at the newest chain of a collection. Errors: `PATH_NOT_FOUND`. */
export async function chainState(source: CollectionSource, options: ChainStateOptions): Promise<ChainState> {
	const { streamHours = STREAM_HOURS, signal } = options
	const links = await source.links({ signal })
	const newest = links.at(-1)
	const full = links.findLastIndex(({ kind }) => kind === 'full')
	if (newest === undefined || full < 0) {
		const what = newest === undefined ? 'no backup' : 'no full backup'
		return {
			links,
			members: [],
			streamAgeMs: undefined,
			obstacle: broken(`${source.name} has ${what} in the cluster yet`, 'gap'),
		}
	}
	const streamAgeMs = Math.max(0, (await source.now({ signal })).getTime() - Date.parse(newest.after))
	const members = (await source.contents(newest, { signal })).tables.map(({ path }) => path)
	let obstacle: BackupError | undefined
	for (const link of links.slice(full)) {
		const progress = await source.progress(link, { signal })
		if (progress === 'complete') continue
		obstacle =
			progress === 'failed'
				? broken(`the server could not write ${link.name}, which an increment would follow`, 'gap')
				: new BackupError('CHAIN_BROKEN', `the server is still writing ${link.name}`, {
						reason: 'gap',
						retry: 'later',
						advice: 'wait until it is done: collection show says when',
					})
		break
	}
	obstacle ??= await missingMember(source, links[full]!, newest, members, signal)
	if (obstacle === undefined && streamAgeMs > streamHours * HOUR_MS) {
		const hours = Math.floor(streamAgeMs / HOUR_MS)
		obstacle = broken(
			`${newest.name} may be ${hours} hours old, and the changes since then are kept for ${streamHours} hours`,
			'expired',
		)
	}
	return { links, members, streamAgeMs, obstacle }
}

/** A member that the newest link lacks, or that is not in the database any more. */
async function missingMember(
	source: CollectionSource,
	full: CollectionLink,
	newest: CollectionLink,
	members: readonly string[],
	signal: AbortSignal | undefined,
): Promise<BackupError | undefined> {
	if (newest.name !== full.name) {
		const there = new Set(members)
		const first = (await source.contents(full, { signal })).tables.map(({ path }) => path)
		const lost = first.find((path) => !there.has(path))
		if (lost !== undefined) return broken(`${newest.name} lacks ${lost}, which ${full.name} has`, 'gap')
	}
	for (const path of members) {
		const live = await source.live(path, { signal })
		if (live?.table === undefined) return broken(`the table ${path} is not in the database any more`, 'gap')
	}
	return undefined
}

function broken(message: string, reason: string): BackupError {
	return new BackupError('CHAIN_BROKEN', message, {
		reason,
		advice: 'take a full backup of the collection: a new chain begins with it; --full-if-needed does so',
	})
}
