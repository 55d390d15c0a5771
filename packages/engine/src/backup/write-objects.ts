import { type ObjectPart, type ProtoText } from '@ydbackup/core'
import { layout, printProtoText, sha256Hex } from '@ydbackup/format'

import { runAll } from '../flow/run-all.ts'
import { checksumOf, itemKey } from '../part/keys.ts'
import type { Ledger, SmallFile } from './ledger.ts'
import type { LiveObject } from './live-objects.ts'

/** An object with its place on storage. */
export interface ObjectJob {
	readonly object: LiveObject
	readonly prefix: string
}

export interface WriteItemOptions {
	/** Of the export: `backups/<id>`. */
	readonly root: string
	readonly ledger: Ledger
	readonly isEncrypted: boolean
	/** Files of one item that may be written at once. */
	readonly filesAtOnce: number
}

/** What is left for the files of each item when so many items are written at once. */
export function filesAtOnce(items: number, concurrency: number): number {
	return Math.max(1, Math.floor(concurrency / Math.max(1, items)))
}

/** Writes the file that makes each object, its rights, its parts and its `metadata.json`, with sidecars. */
export async function writeObjectItems(
	jobs: readonly ObjectJob[],
	options: Omit<WriteItemOptions, 'filesAtOnce'> & { readonly concurrency: number; readonly signal: AbortSignal },
): Promise<void> {
	const how = { ...options, filesAtOnce: filesAtOnce(jobs.length, options.concurrency) }
	await runAll(jobs, options.concurrency, options.signal, async ({ object, prefix }, signal) => {
		const scheme: ItemFile = {
			role: 'scheme',
			name: layout.definitionName(object.kind),
			bytes: Buffer.from(object.text),
		}
		await writeItem(prefix, [scheme], object, how, signal)
	})
}

/** A file of an item, by its name in the item's folder. */
export interface ItemFile {
	readonly role: SmallFile['role']
	readonly name: string
	readonly bytes: Uint8Array
	readonly partition?: number
}

/** What every item of an export has: its own files, those of its parts, its rights, and `metadata.json`, each with its sidecar. */
export async function writeItem(
	prefix: string,
	own: readonly ItemFile[],
	{ permissions, parts }: { readonly permissions: ProtoText; readonly parts: readonly ObjectPart[] },
	{ root, ledger, isEncrypted, filesAtOnce: atOnce }: WriteItemOptions,
	signal: AbortSignal,
): Promise<void> {
	const grants = printProtoText(permissions)
	const named = (of: ObjectPart['kind']): { prefix: string; name: string }[] =>
		parts.flatMap(({ kind, name }, at) => (kind === of ? { prefix: folderOf(at), name } : []))
	const files: ItemFile[] = [...own, ...parts.flatMap(filesOf)]
	if (grants !== '') files.push({ role: 'permissions', name: 'permissions.pb', bytes: Buffer.from(grants) })
	files.push({
		role: 'metadata',
		name: 'metadata.json',
		bytes: layout.itemMetadata({
			version: 1,
			permissions: grants !== '',
			changefeeds: named('changefeed'),
			rateLimiters: named('rate-limiter'),
			isEncrypted,
		}),
	})
	const all = files.flatMap(({ role, name, bytes, partition }): SmallFile[] => {
		const key = itemKey(root, prefix, name)
		return [{ key, role, object: prefix, partition, bytes }, checksumOf(key, sha256Hex(bytes), { object: prefix })]
	})
	await runAll(all, atOnce, signal, (file, stop) => ledger.putSmall(file, stop))
}

/** Parts have numbers for folders, as items have. */
function folderOf(at: number): string {
	return layout.itemPrefix(at + 1)
}

/** The files of a part, the number of which is that of its folder. */
export function filesOf({ kind, definition, topic }: ObjectPart, at: number): ItemFile[] {
	const file = (role: SmallFile['role'], name: string, tree: ProtoText): ItemFile => ({
		role,
		name: `${folderOf(at)}/${name}`,
		bytes: Buffer.from(printProtoText(tree)),
		partition: at,
	})
	return [
		file(kind, layout.partName(kind), definition),
		...(topic === undefined ? [] : [file('topic', layout.partTopicName, topic)]),
	]
}
