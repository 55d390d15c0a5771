import type { CallOptions, KeyRange, SnapshotSink } from '@ydbackup/core'

import {
	CHECKPOINT_SCHEMA,
	CHECKPOINT_SCHEME,
	chunksOf,
	creatorAttribute,
	creatorOf,
	type Entry,
	entriesOf,
	textCell,
} from './checkpoint-table.ts'

/** What a restore writes down in its target to be gone on with: a small table of names and texts, which is dropped at the end. */
export interface Checkpoint {
	/** Relative to the database. */
	readonly path: string
	/** Who creates it is said by an attribute: it is there with the table, before any entry can be. */
	create(creator: string, options?: CallOptions): Promise<void>
	/** What was said of who created it. */
	creator(options?: CallOptions): Promise<string | undefined>
	/** Writes entries over those of the same names. Resolves when they are durable. */
	put(entries: Iterable<Entry>, options?: CallOptions): Promise<void>
	/** All entries, or the one of a name. */
	read(name?: string, options?: CallOptions): Promise<Entry[]>
	/** Succeeds when it is gone. */
	drop(options?: CallOptions): Promise<void>
}

export function openCheckpoint(sink: SnapshotSink, path: string): Checkpoint {
	return {
		path,
		create: (creator, options) => sink.createTable(path, [...CHECKPOINT_SCHEME, creatorAttribute(creator)], options),
		creator: async (options) => creatorOf((await sink.describeTable(path, options)).scheme),
		async put(entries, options) {
			const writer = await sink.openWriter(path, CHECKPOINT_SCHEMA, options)
			try {
				for (const chunk of chunksOf(entries)) await writer.write(chunk)
				await writer.finish()
			} catch (error) {
				writer.abort(error)
				throw error
			}
		},
		async read(name, options) {
			const entries: Entry[] = []
			const range = name === undefined ? {} : only(name)
			for await (const chunk of sink.read(path, CHECKPOINT_SCHEMA, range, options)) entries.push(...entriesOf(chunk))
			return entries
		},
		drop: (options) => sink.dropTable(path, options),
	}
}

function only(name: string): KeyRange {
	const bound = { key: textCell(name), inclusive: true }
	return { from: bound, to: bound }
}
