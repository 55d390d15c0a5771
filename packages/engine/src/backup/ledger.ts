import type { Storage } from '@ydbackup/core'
import { type ManifestFile, sha256Hex } from '@ydbackup/format'

/** A file that is written from memory. */
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

export function createLedger(storage: Storage): Ledger {
	const files = new Map<string, ManifestFile>()
	const keys = new Set<string>()
	return {
		files: () => Array.from(files.values()).toSorted((a, b) => (a.key < b.key ? -1 : 1)),
		attempted: () => Array.from(keys).toReversed(),
		begin: (key) => void keys.add(key),
		add: (file) => void files.set(file.key, file),
		async putSmall({ key, role, object, partition, bytes }, signal) {
			keys.add(key)
			const sha256 = sha256Hex(bytes)
			await storage.put(key, bytes, { size: bytes.length, sha256, signal })
			files.set(key, {
				key,
				size: bytes.length,
				sha256,
				plainSize: bytes.length,
				plainSha256: sha256,
				role,
				...(object === undefined ? {} : { object }),
				...(partition === undefined ? {} : { partition }),
				provenance: 'read-back',
			})
		},
	}
}
