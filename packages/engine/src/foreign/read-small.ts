import { BackupError } from '@ydbackup/core'
import { layout, parseChecksumFile, sha256Hex } from '@ydbackup/format'

import { objectDamaged, objectMissing } from '../part/damage.ts'
import { readWhole } from '../part/read-object.ts'
import { type ForeignFiles, storedKey } from './foreign-files.ts'

const LARGEST = 64 << 20

/** A small file of the tree. Errors: `OBJECT_MISSING`, `FORMAT_INVALID` for one that no such file can be as large as. */
export async function readSmall(
	files: ForeignFiles,
	key: string,
	signal: AbortSignal | undefined,
): Promise<Uint8Array> {
	const size = sizeOf(files, key)
	if (size === undefined) throw objectMissing(key)
	if (size > LARGEST) {
		throw new BackupError('FORMAT_INVALID', `${key} has ${size} bytes, and more than ${LARGEST} are not read`, {
			advice: 'no file of this name is as large: it is damaged',
		})
	}
	const bytes = await readWhole({ storage: files.storage, key: storedKey(files, key), size, signal })
	return files.cipher === undefined || files.cipher.isOpen(key) ? bytes : files.cipher.decryptWhole(key, bytes)
}

/** The hash that the file beside it says, of its plain bytes. Errors: `OBJECT_MISSING`, `FORMAT_INVALID`. */
export async function readSidecar(files: ForeignFiles, key: string, signal: AbortSignal | undefined): Promise<string> {
	const folder = key.slice(0, key.lastIndexOf('/') + 1)
	const sidecar = `${folder}${layout.checksumName(key.slice(folder.length))}`
	return parseChecksumFile(await readSmall(files, sidecar, signal), sidecar)
}

/** Errors: `OBJECT_DAMAGED` naming the file whose bytes are not those of its sidecar; `OBJECT_MISSING` without one. */
export async function checkSidecar(
	files: ForeignFiles,
	key: string,
	bytes: Uint8Array,
	signal: AbortSignal | undefined,
): Promise<void> {
	const expected = await readSidecar(files, key, signal)
	if (sha256Hex(bytes) !== expected) throw objectDamaged(key, `its SHA-256 is not ${expected}`)
}

function sizeOf({ tree }: ForeignFiles, key: string): number | undefined {
	const cut = key.lastIndexOf('/')
	return tree.files(cut < 0 ? '' : key.slice(0, cut)).get(key.slice(cut + 1))
}
