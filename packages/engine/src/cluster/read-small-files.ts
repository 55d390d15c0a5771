import { isBackupError, type Storage } from '@ydbackup/core'
import { type ManifestFile, parseChecksumFile, sha256Hex } from '@ydbackup/format'

import type { Unseal } from '../encryption/unseal.ts'
import { requestConcurrency } from '../flow/concurrency.ts'
import { runAll } from '../flow/run-all.ts'
import { objectDamaged } from '../part/damage.ts'
import { sidecarKey } from '../part/keys.ts'
import { readWhole } from '../part/read-object.ts'
import type { WrittenObject } from './classify.ts'

const LARGEST_SMALL = 64 << 20

/** Small files that were read, with what they say by their keys without `.enc`. */
export interface SmallFiles {
	readonly files: ManifestFile[]
	readonly texts: Map<string, Uint8Array>
}

/** Reads files that the cluster wrote, but data, into `into`. Errors: `OBJECT_DAMAGED`, `OBJECT_MISSING` naming the key. */
export async function readSmallFiles(
	objects: readonly WrittenObject[],
	storage: Storage,
	unseal: Unseal | undefined,
	signal: AbortSignal | undefined,
	{ files, texts }: SmallFiles,
): Promise<void> {
	await runAll(objects, requestConcurrency(storage), signal, async (object, stop) => {
		const { key, openKey, size, role } = object
		if (size > LARGEST_SMALL) throw objectDamaged(key, `it has ${size} bytes`)
		const bytes = await readWhole({ storage, key, size, signal: stop })
		const plain = await opened(object, bytes, unseal)
		texts.set(openKey, plain)
		const sha256 = sha256Hex(bytes)
		const plainSha256 = plain === bytes ? sha256 : sha256Hex(plain)
		const read = { size, sha256, plainSize: plain.length, plainSha256, role, provenance: 'read-back' } as const
		files.push({ ...placeOf(object), ...read })
	})
}

/** What the sidecar of a file says, where there is one. Errors: `FORMAT_INVALID`. */
export function sidecarOf(openKey: string, { texts }: SmallFiles): string | undefined {
	const bytes = texts.get(sidecarKey(openKey))
	return bytes && parseChecksumFile(bytes, sidecarKey(openKey))
}

/** Errors: `OBJECT_DAMAGED` for a file that is not what its sidecar says. */
export function checkSidecars(small: SmallFiles): void {
	for (const { key, role, plainSha256 } of small.files) {
		if (role === 'checksum') continue
		const expected = sidecarOf(key, small)
		if (expected !== undefined && expected !== plainSha256) throw objectDamaged(key, `its SHA-256 is not ${expected}`)
	}
}

export function placeOf({ key, object, partition }: WrittenObject): Pick<ManifestFile, 'key' | 'object' | 'partition'> {
	return { key, ...(object !== undefined && { object }), ...(partition !== undefined && { partition }) }
}

async function opened(object: WrittenObject, bytes: Uint8Array, unseal: Unseal | undefined): Promise<Uint8Array> {
	if (unseal === undefined || object.key === object.openKey) return bytes
	try {
		return await unseal.decryptWhole(object, bytes)
	} catch (error) {
		if (isBackupError(error, 'FORMAT_INVALID')) throw objectDamaged(object.key, error.message, error)
		throw error
	}
}
