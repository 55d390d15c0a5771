import { layout, parseProtoText, type ReadItemMetadata } from '@ydbackup/format'

import { objectMissing } from '../part/damage.ts'
import { checkPart } from '../part/stored-object.ts'
import type { WrittenObject } from './classify.ts'
import type { SmallFiles } from './read-small-files.ts'

const DESCRIPTION = `/${layout.partName('changefeed')}`

/** A changefeed that the cluster wrote, with its files in the order of the table's changefeeds. */
export interface WrittenFeed {
	readonly name: string
	readonly files: readonly WrittenObject[]
}

/**
 * The changefeeds of a table, as its metadata names them; older versions do not, and then there are those whose files are there. `folder` is the
 * key of the table's folder with a slash. Errors: `OBJECT_MISSING`.
 */
export function feedsOf(
	folder: string,
	{ changefeeds }: Pick<ReadItemMetadata, 'changefeeds'>,
	byKey: ReadonlyMap<string, WrittenObject>,
): WrittenFeed[] {
	const named =
		changefeeds ??
		Array.from(byKey.values(), ({ openKey }) => openKey)
			.filter((key) => key.startsWith(folder) && key.endsWith(DESCRIPTION))
			.map((key) => key.slice(folder.length, -DESCRIPTION.length))
			.toSorted()
			.map((name) => ({ prefix: name, name }))
	return named.map(({ prefix, name }, partition) => {
		const key = `${folder}${prefix}${DESCRIPTION}`
		const description = byKey.get(key)
		if (description?.role !== 'changefeed') throw objectMissing(key)
		const topic = byKey.get(`${folder}${prefix}/${layout.partTopicName}`)
		return { name, files: [description, ...(topic ? [topic] : [])].map((file) => ({ ...file, partition })) }
	})
}

/** Errors: `FORMAT_INVALID` naming the file of a changefeed that a restore could not use. */
export function checkFeeds(feeds: readonly WrittenFeed[], { texts }: SmallFiles): void {
	for (const { name, files } of feeds)
		for (const { role, key, openKey } of files) {
			const definition = parseProtoText(texts.get(openKey)!, key)
			if (role === 'changefeed') checkPart({ kind: 'changefeed', name, definition }, key)
		}
}
