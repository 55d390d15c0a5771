import { readProof } from '@ydbackup/catalog'
import { BackupError, isBackupError, type Storage } from '@ydbackup/core'
import { decodeObjects, encryption, isTable, type Manifest, type ManifestFile, sha256Hex } from '@ydbackup/format'

import { objectDamaged, objectMissing } from '../part/damage.ts'
import { readWhole } from '../part/read-object.ts'
import { withProof } from '../part/with-proof.ts'
import type { Keyring } from './keyring.ts'
import { unsealManifest } from './seal-manifest.ts'
import { createUnseal, type Unseal } from './unseal.ts'

/** A backup with its names, and with what decrypts its files where they are encrypted. */
export interface OpenedBackup {
	readonly manifest: Manifest
	/** Undefined for a backup that is not encrypted, and for one that is looked at without its key. */
	readonly unseal?: Unseal | undefined
}

/**
 * Opens backups with the keys they need: proves each manifest to be made with its key, and reads the names. Errors: `KEY_REQUIRED`,
 * `KEY_WRONG`, `KEY_UNAVAILABLE`; `MANIFEST_INVALID` for a manifest that was made without the key; `OBJECT_MISSING`, `OBJECT_DAMAGED`.
 */
export async function openBackups(
	storage: Storage,
	manifests: readonly Manifest[],
	keyring: Keyring,
	signal: AbortSignal | undefined,
): Promise<OpenedBackup[]> {
	const opened: OpenedBackup[] = []
	for (const manifest of manifests) opened.push(await openBackup(storage, manifest, keyring, signal))
	return opened
}

export async function openBackup(
	storage: Storage,
	manifest: Manifest,
	keyring: Keyring,
	signal: AbortSignal | undefined,
): Promise<OpenedBackup> {
	const { id, mac } = manifest
	if (manifest.encryption === undefined || mac === undefined)
		return { manifest: await proven(storage, manifest, signal) }
	const key = await keyring.find(manifest.encryption.keyId, id)
	if (!encryption.isAuthentic(key, mac.over, mac.tag)) {
		throw new BackupError('MANIFEST_INVALID', `the manifest of ${id} was changed by somebody who has not the key`, {
			advice: 'use another backup, or another copy of this one, and find out who writes to the repository',
		})
	}
	const unseal = createUnseal(key, manifest.encryption)
	const file = manifest.files.find(({ role }) => role === 'objects')
	if (file === undefined) throw objectMissing(`catalog/${id}/objects.json.enc`)
	const objects = decodeObjects(await readSealed(storage, file, unseal, signal), file.key)
	return { manifest: await proven(storage, unsealManifest(manifest, objects), signal), unseal }
}

/** With what a full verification has found out since it was committed, where the manifest leaves something open. */
export async function proven(storage: Storage, manifest: Manifest, signal: AbortSignal | undefined): Promise<Manifest> {
	const isOpen = manifest.objects.some((object) => isTable(object) && object.rows === undefined)
	const proof = isOpen ? await readProof(storage, manifest, { signal }) : undefined
	return proof === undefined ? manifest : withProof(manifest, proof)
}

/** Ids of the keys of backups, each once. */
export function keysOf(manifests: readonly Manifest[]): string[] {
	return Array.from(new Set(manifests.flatMap(({ encryption: by }) => by?.keyId ?? [])))
}

/** The plain bytes of a small file, checked by its hashes. Errors: `OBJECT_MISSING`, `OBJECT_DAMAGED`. */
async function readSealed(
	storage: Storage,
	file: ManifestFile,
	unseal: Unseal,
	signal: AbortSignal | undefined,
): Promise<Uint8Array> {
	const bytes = await readWhole({ storage, key: file.key, size: file.size, signal })
	if (sha256Hex(bytes) !== file.sha256) throw objectDamaged(file.key, `its SHA-256 is not ${file.sha256}`)
	return decryptSmall(file, bytes, unseal)
}

/** Errors: `OBJECT_DAMAGED`. */
export async function decryptSmall(
	file: ManifestFile,
	bytes: Uint8Array,
	unseal: Unseal | undefined,
): Promise<Uint8Array> {
	if (unseal === undefined) return bytes
	try {
		const plain = await unseal.decryptWhole(file, bytes)
		if (sha256Hex(plain) === file.plainSha256) return plain
	} catch (error) {
		if (isBackupError(error, 'FORMAT_INVALID')) throw objectDamaged(file.key, error.message, error)
		throw error
	}
	throw objectDamaged(file.key, `its SHA-256 before encryption is not ${file.plainSha256}`)
}
