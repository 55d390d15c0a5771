import type { Accounts } from '@ydbackup/core'
import {
	type Compression,
	encodeObjects,
	encryption,
	layout,
	printProtoText,
	type SealedNames,
	sha256Hex,
	type StoredLink,
} from '@ydbackup/format'

import { storeAccounts } from '../accounts/stored-accounts.ts'
import type { Seal } from '../encryption/seal.ts'
import { runAll } from '../flow/run-all.ts'
import type { PlannedObject } from './backup-plan.ts'
import { checksumOf, rootKey } from '../part/keys.ts'
import type { Ledger, SmallFile } from './ledger.ts'

/** Writes `objects.json`: what the native layout has no place for. */
export async function writeObjects({
	id,
	directories,
	schemes,
	links,
	parts,
	accounts,
	sealed,
	ledger,
	signal,
}: {
	readonly id: string
	readonly directories: readonly PlannedObject[]
	readonly schemes: Record<string, string>
	readonly links: Record<string, StoredLink> | undefined
	/** By prefix: names of changefeeds and rate limiters. */
	readonly parts: Readonly<Record<string, readonly string[]>>
	readonly accounts: Accounts | undefined
	/** With encryption: the names that the manifest leaves out. */
	readonly sealed: SealedNames | undefined
	readonly ledger: Ledger
	readonly signal: AbortSignal | undefined
}): Promise<void> {
	const bytes = encodeObjects({
		version: 1,
		directories: directories.map(({ path, permissions }) => ({
			path,
			permissions: printProtoText(permissions, { unknownFields: 'keep' }),
		})),
		...(Object.keys(schemes).length === 0 ? {} : { schemes }),
		...(links === undefined ? {} : { links }),
		...(Object.keys(parts).length === 0 ? {} : { parts }),
		...(accounts === undefined ? {} : { accounts: storeAccounts(accounts) }),
		...(sealed === undefined ? {} : { sealed }),
	})
	await ledger.putSmall({ key: layout.objectsKey(id), role: 'objects', bytes }, signal)
}

/** The files without which YDB's own import finds nothing: written when all else is durable, the root file last. */
export async function writeRoot(
	root: string,
	placed: readonly { readonly path: string; readonly prefix: string }[],
	compression: Compression,
	ledger: Ledger,
	seal: Seal | undefined,
	concurrency: number,
): Promise<void> {
	const items = placed.map(({ path, prefix }) => ({
		path,
		exportPrefix: prefix,
		...(seal && { iv: encryption.ivHex(encryption.itemIv(seal.exportIv, Number(prefix))) }),
	}))
	const named: (readonly [SmallFile['role'], string, Uint8Array])[] = [
		['mapping', 'SchemaMapping/mapping.json', layout.schemaMapping(items)],
		['mapping', 'SchemaMapping/metadata.json', layout.schemaMappingMetadata()],
		['metadata', 'metadata.json', layout.rootMetadata({ compression, encryption: seal?.algorithm })],
	]
	const files = named.flatMap(([role, name, bytes]): SmallFile[] => {
		const key = `${root}/${name}`
		return [checksumOf(key, sha256Hex(bytes), {}), { key, role, bytes }]
	})
	const put = (file: SmallFile): Promise<void> => ledger.putSmall(file, undefined)
	await runAll(files.slice(0, -1), concurrency, undefined, put)
	await runAll(files.slice(-1), 1, undefined, put)
}

/** Keys to delete first when a run is given up: without them nothing can be imported. */
export function rootKeys(id: string): string[] {
	return ['metadata.json', 'SchemaMapping/metadata.json', 'SchemaMapping/mapping.json']
		.flatMap((name) => [name, `${name}${layout.encryptedSuffix}`])
		.map((name) => rootKey(id, name))
}
