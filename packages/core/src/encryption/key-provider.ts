import type { CallOptions } from '../storage/storage.ts'

/** Where an encryption key comes from: a file, a command, a key-management service. */
export interface KeyProvider {
	/** For messages: what and where it is, and nothing of the key. */
	readonly name: string
	/**
	 * The raw bytes, 16 or 32, the same at every call; they are the caller's to wipe. A backup asks twice before it believes that it can
	 * be opened again. Every wait is bounded. Errors: `KEY_UNAVAILABLE`, with nothing of the key in any field.
	 */
	getKey(options?: CallOptions): Promise<Uint8Array>
}
