import type { CallOptions } from '../storage/storage.ts'
import type { Position, TableChanges } from './change.ts'

/** One link of a chain as a source offers it: everything that changed after `since`, up to and including `upTo`. */
export interface ChangeLink {
	readonly since: Position
	readonly upTo: Position
	/** The moment of `upTo` lies between these; RFC 3339, UTC, microseconds. */
	readonly after: string
	readonly before: string
	/** Tables with changes and tables without, so that a missing table is not mistaken for a quiet one. */
	readonly tables: AsyncIterable<TableChanges>
	/** Tells the source that the link is durable elsewhere. Before that it must be able to give the same link again. */
	release(options?: CallOptions): Promise<void>
}

/**
 * Where increments come from.
 *
 * Promises: a link is complete (every committed change of its tables in the interval is in it, once, as the last state of its key)
 * and consistent (`upTo` is one moment for all tables); or the call throws `CHAIN_BROKEN` with a {@link ChainBreak} as `reason` and
 * advice. It never returns less in silence. Between two links nothing is offered.
 */
export interface ChangeSource {
	/** `collection:NAME` or `diff`. */
	readonly name: string
	/** The position right after a full snapshot: increments of that snapshot begin here. */
	positionOf(
		fullBackup: { readonly id: string; readonly after: string; readonly before: string },
		options?: CallOptions,
	): Promise<Position>
	/** Closes the interval that begins at `since` and offers it as a link. */
	next(since: Position, options?: CallOptions): Promise<ChangeLink>
}
