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

export interface WriteItemsOptions {
	readonly ledger: Ledger
	/** Puts at once, of all items together. */
	readonly concurrency: number
	readonly signal: AbortSignal
}

/** Writes the files of items; where there are few items, several files of one at once. */
export async function writeItems<T>(
	jobs: readonly T[],
	{ ledger, concurrency, signal }: WriteItemsOptions,
	filesOfJob: (job: T) => readonly SmallFile[],
): Promise<void> {
	const filesAtOnce = Math.floor(concurrency / Math.max(1, jobs.length))
	await runAll(jobs, concurrency, signal, (job, stop) =>
		runAll(filesOfJob(job), filesAtOnce, stop, (file, by) => ledger.putSmall(file, by)),
	)
}

/** Writes the file that makes each object, its rights, its parts and its `metadata.json`, with sidecars. */
export async function writeObjectItems(
	jobs: readonly ObjectJob[],
	options: ItemOptions & WriteItemsOptions,
): Promise<void> {
	await writeItems(jobs, options, ({ object, prefix }) => {
		const scheme: ItemFile = {
			role: 'scheme',
			name: layout.definitionName(object.kind),
			bytes: Buffer.from(object.text),
		}
		return filesOfItem(prefix, [scheme], object, options)
	})
}

export interface ItemOptions {
	/** Of the export: `backups/<id>`. */
	readonly root: string
	readonly isEncrypted: boolean
}

/** A file of an item, by its name in the item's folder. */
export interface ItemFile {
	readonly role: SmallFile['role']
	readonly name: string
	readonly bytes: Uint8Array
	readonly partition?: number
}

/** What every item of an export has: its own files, those of its parts, its rights, and `metadata.json`, each with its sidecar. */
export function filesOfItem(
	prefix: string,
	own: readonly ItemFile[],
	{ permissions, parts }: { readonly permissions: ProtoText; readonly parts: readonly ObjectPart[] },
	{ root, isEncrypted }: ItemOptions,
): SmallFile[] {
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
	return files.flatMap((file) => withSidecar(root, prefix, file))
}

/** A file of an item as it is stored, and the sidecar of it. */
export function withSidecar(root: string, prefix: string, { role, name, bytes, partition }: ItemFile): SmallFile[] {
	const key = itemKey(root, prefix, name)
	return [{ key, role, object: prefix, partition, bytes }, checksumOf(key, sha256Hex(bytes), { object: prefix })]
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
