import {
	BackupError,
	type DefinedKind,
	type ObjectDefinition,
	type ObjectPart,
	protoString,
	type ProtoText,
} from '@ydbackup/core'
import { layout, type ManifestFile, type ManifestObject, type ObjectsFile, parseProtoText } from '@ydbackup/format'

import { isObjectPath } from '../choose/object-path.ts'
import { readDefinition, type TextPlace } from '../objects/definition-text.ts'
import { objectMissing } from './damage.ts'

/** An object of a backup that is neither table nor directory, read and checked. */
export interface StoredObject {
	/** Relative to the database it is from. */
	readonly path: string
	readonly kind: DefinedKind
	/** Its folder in a backup; undefined for one that another tool wrote. */
	readonly prefix: string | undefined
	/** The file that makes it, for messages. */
	readonly file: string
	readonly definition: ObjectDefinition
	/** Where statements are from: what their relative paths begin with. */
	readonly place: Partial<TextPlace>
	readonly parts: readonly ObjectPart[]
	readonly permissions: ProtoText
}

/** What is read of an item before its object is: plain bytes by key. */
export interface ItemTexts {
	readonly files: readonly ManifestFile[]
	readonly texts: ReadonlyMap<string, Uint8Array>
	readonly shared: ObjectsFile | undefined
}

/** Errors: `FORMAT_INVALID` naming the file. Undefined when a file could not be read: a finding says so already. */
export function readStoredObject(
	object: ManifestObject & { readonly kind: DefinedKind },
	item: ItemTexts,
): StoredObject | undefined {
	const { path, kind, prefix } = object
	const scheme = item.files.find((file) => file.role === 'scheme')
	const bytes = scheme && item.texts.get(scheme.key)
	const parts = readStoredParts(object, item)
	const permissions = readRights(item)
	if (scheme === undefined || bytes === undefined || parts === undefined || permissions === undefined) return undefined
	const { definition, place } = readDefinition(bytes, kind, scheme.key)
	return { path, kind, prefix, file: scheme.key, definition, place, parts, permissions }
}

/** The changefeeds of a table, or the rate limiters of a node. Errors and undefined: as {@link readStoredObject}. */
export function readStoredParts(
	{ kind, parts: count = 0, prefix = '' }: ManifestObject,
	{ files, texts, shared }: ItemTexts,
): ObjectPart[] | undefined {
	if (count === 0) return []
	if (shared === undefined) return undefined
	const names = shared.parts?.[prefix] ?? []
	if (names.length !== count) {
		throw new BackupError(
			'FORMAT_INVALID',
			`objects.json names ${names.length} parts of ${prefix}, which has ${count}`,
			{
				advice: 'take this object from another backup',
			},
		)
	}
	const role = kind === 'coordination-node' ? 'rate-limiter' : 'changefeed'
	const found: ObjectPart[] = []
	for (const [at, name] of names.entries()) {
		const file = files.find((one) => one.role === role && one.partition === at)
		const topic = files.find((one) => one.role === 'topic' && one.partition === at)
		if (file === undefined) throw objectMissing(`${prefix}/${layout.itemPrefix(at + 1)}/${layout.partName(role)}`)
		const bytes = texts.get(file.key)
		const topicBytes = topic && texts.get(topic.key)
		if (bytes === undefined || (topic !== undefined && topicBytes === undefined)) return undefined
		found.push(
			checkPart(
				{
					kind: role,
					name,
					definition: parseProtoText(bytes, file.key),
					...(topic && topicBytes && { topic: parseProtoText(topicBytes, topic.key) }),
				},
				file.key,
			),
		)
	}
	return found
}

/** A part whose name leads nowhere else. Errors: `FORMAT_INVALID` naming the file. */
export function checkPart(part: ObjectPart, file: string): ObjectPart {
	const { kind, name, definition } = part
	const isFeed = kind === 'changefeed'
	const isPath = isObjectPath(name) && !(isFeed && name.includes('/'))
	const isSame = !isFeed || (protoString(definition, 'name') ?? name) === name
	if (isPath && isSame) return part
	throw new BackupError('FORMAT_INVALID', `${file}: it is not of the ${kind} ${JSON.stringify(name.slice(0, 200))}`, {
		advice: 'the file is damaged, or somebody changed it; leave the object out',
	})
}

function readRights({ files, texts }: ItemTexts): ProtoText | undefined {
	const file = files.find((one) => one.role === 'permissions')
	if (file === undefined) return []
	const bytes = texts.get(file.key)
	return bytes && parseProtoText(bytes, file.key)
}
