import { checksumFile, type Compression, layout } from '@ydbackup/format'

import type { SmallFile } from '../backup/ledger.ts'

/** Key of an object in the folder of one item: `<root>/001/<name>`. The root is that of an export, such as `backups/<id>`. */
export function itemKey(root: string, prefix: string, name: string): string {
	return `${root}/${prefix}/${name}`
}

export function rootKey(id: string, name: string): string {
	return `${layout.backupPrefix(id)}/${name}`
}

export function dataKey(root: string, prefix: string, partition: number, compression: Compression): string {
	return itemKey(root, prefix, layout.dataName(partition, compression))
}

/** Key of the sidecar of a file: beside it, named after its plain bytes. */
export function sidecarKey(key: string): string {
	const folder = key.slice(0, key.lastIndexOf('/') + 1)
	return `${folder}${layout.checksumName(key.slice(folder.length))}`
}

/** The sidecar that YDB's own importer reads: the hash of a file's plain bytes. */
export function checksumOf(
	key: string,
	plainSha256: string,
	of: { readonly object?: string | undefined; readonly partition?: number | undefined },
): SmallFile {
	const sidecar = sidecarKey(key)
	const plainName = sidecar.slice(sidecar.lastIndexOf('/') + 1, -'.sha256'.length)
	return { key: sidecar, role: 'checksum', bytes: checksumFile(plainName, plainSha256), ...of }
}
