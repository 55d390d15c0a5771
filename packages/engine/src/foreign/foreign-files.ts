import type { Storage } from '@ydbackup/core'
import { dumpLayout, type FolderTree, layout } from '@ydbackup/format'

import type { ForeignCipher } from './foreign-cipher.ts'

/** The files at a place by their names before encryption. */
export interface ForeignFiles {
	readonly storage: Storage
	/** Sizes are those on storage. */
	readonly tree: FolderTree
	/** Undefined when they are not encrypted. */
	readonly cipher?: ForeignCipher | undefined
}

/** The key on storage of a file of that name. */
export function storedKey({ cipher }: ForeignFiles, name: string): string {
	return cipher === undefined || cipher.isOpen(name) ? name : `${name}${layout.encryptedSuffix}`
}

/** The files without `.enc`. An open file in an encrypted export may be anybody's: it is left out, and named. */
export function decryptedFiles(
	storage: Storage,
	stored: FolderTree,
	cipher: ForeignCipher,
): { readonly files: ForeignFiles; readonly open: readonly string[] } {
	const tree = new dumpLayout.FolderTree()
	const open: string[] = []
	for (const [folder, files] of stored.folders()) {
		for (const [name, size] of files) {
			const key = folder === '' ? name : `${folder}/${name}`
			if (key.endsWith(layout.encryptedSuffix)) tree.add(key.slice(0, -layout.encryptedSuffix.length), size)
			else if (cipher.isOpen(key)) tree.add(key, size)
			else open.push(key)
		}
	}
	return { files: { storage, tree, cipher }, open }
}
