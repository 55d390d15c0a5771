import { isBackupError, type Storage } from '@ydbackup/core'
import { layout, type ManifestFile, sha256Hex } from '@ydbackup/format'

import type { Seal } from '../encryption/seal.ts'
import { readWhole } from '../part/read-object.ts'

/** A file that is written from memory. Its key is the one that it has in a backup that is not encrypted. */
export interface SmallFile {
	readonly key: string
	readonly role: ManifestFile['role']
	/** The prefix of the object it belongs to. */
	readonly object?: string | undefined
	readonly partition?: number | undefined
	readonly bytes: Uint8Array
}

/** Every object that one run puts: what the manifest lists, and what a failed run removes. */
export interface Ledger {
	/** Complete files, in the order of their keys. */
	files(): ManifestFile[]
	/** Keys that may exist, the latest first; those of files that failed half-way are among them. */
	attempted(): string[]
	/** Notes that a key is about to be written. */
	begin(key: string): void
	add(file: ManifestFile): void
	putSmall(file: SmallFile, signal: AbortSignal | undefined): Promise<void>
}

export interface LedgerOptions {
	/** Encrypts files on their way, under the same name with `.enc` behind it. */
	readonly seal?: Seal | undefined
	/** Files may be there: one that is as it would be is left alone, because a store may refuse to write it again. */
	readonly isResumed?: boolean | undefined
}

export function createLedger(storage: Storage, { seal, isResumed = false }: LedgerOptions = {}): Ledger {
	const files = new Map<string, ManifestFile>()
	const keys = new Set<string>()
	return {
		files: () => Array.from(files.values()).toSorted((a, b) => (a.key < b.key ? -1 : 1)),
		attempted: () => Array.from(keys).toReversed(),
		begin: (key) => void keys.add(key),
		add: (file) => void files.set(file.key, file),
		async putSmall({ key: name, role, object, partition, bytes: plain }, signal) {
			const encryptor = seal?.encryptor({ key: name, role, object, partition })
			const key = encryptor === undefined ? name : `${name}${layout.encryptedSuffix}`
			const bytes = encryptor?.encryptWhole(plain) ?? plain
			keys.add(key)
			const sha256 = sha256Hex(bytes)
			const isThere = isResumed && (await holds(storage, key, bytes, signal))
			if (!isThere) await storage.put(key, bytes, { size: bytes.length, sha256, signal })
			files.set(key, {
				key,
				size: bytes.length,
				sha256,
				plainSize: plain.length,
				plainSha256: encryptor === undefined ? sha256 : sha256Hex(plain),
				role,
				...(object === undefined ? {} : { object }),
				...(partition === undefined ? {} : { partition }),
				provenance: 'read-back',
			})
		},
	}
}

async function holds(
	storage: Storage,
	key: string,
	bytes: Uint8Array,
	signal: AbortSignal | undefined,
): Promise<boolean> {
	try {
		return Buffer.compare(await readWhole({ storage, key, size: bytes.length, signal }), bytes) === 0
	} catch (error) {
		if (isBackupError(error) && (error.kind === 'damaged' || error.code === 'STORAGE_PERMISSION')) return false
		throw error
	}
}
