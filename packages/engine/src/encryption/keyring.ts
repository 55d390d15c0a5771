import { BackupError, isBackupError, type KeyProvider } from '@ydbackup/core'
import { encryption, type EncryptionKey } from '@ydbackup/format'

/** The keys that a run may use. A provider is asked when a key is needed, and then once. */
export interface Keyring {
	readonly isEmpty: boolean
	/** The key that new backups are encrypted with: the first one. Errors: `KEY_REQUIRED`, `KEY_UNAVAILABLE`. */
	first(): Promise<EncryptionKey>
	/** Every key, for what does not say which one it needs. Errors: `KEY_REQUIRED` without any, `KEY_UNAVAILABLE`. */
	all(what: string): Promise<EncryptionKey[]>
	/** Errors: `KEY_REQUIRED` without any key, `KEY_WRONG` when none has the id, `KEY_UNAVAILABLE`. `what` is what it shall open. */
	find(id: string, what: string): Promise<EncryptionKey>
}

export function createKeyring(providers: readonly KeyProvider[], signal: AbortSignal | undefined): Keyring {
	const loaded = new Map<KeyProvider, Promise<EncryptionKey>>()

	function load(provider: KeyProvider): Promise<EncryptionKey> {
		const key = loaded.get(provider) ?? loadKey(provider, signal)
		loaded.set(provider, key)
		return key
	}

	return {
		isEmpty: providers.length === 0,
		async first() {
			const [provider] = providers
			if (provider === undefined) throw new BackupError('KEY_REQUIRED', 'no encryption key is given')
			return load(provider)
		},
		async all(what) {
			if (providers.length === 0) {
				throw new BackupError('KEY_REQUIRED', `${what} is encrypted, and no key is given`, {
					advice: 'give the key that it was written with by --encryption-key',
				})
			}
			const keys: EncryptionKey[] = []
			for (const provider of providers) keys.push(await load(provider))
			return keys
		},
		async find(id, what) {
			if (providers.length === 0) {
				throw new BackupError('KEY_REQUIRED', `${what} is encrypted, and no key is given`, {
					advice: `give the key with the id ${id} by --encryption-key`,
				})
			}
			const others: string[] = []
			for (const provider of providers) {
				const key = await load(provider)
				if (key.id === id) return key
				others.push(`${provider.name} has the id ${key.id}`)
			}
			throw new BackupError('KEY_WRONG', `${what} is encrypted with the key ${id}, and ${others.join(', ')}`, {
				advice: 'give the key that it was written with; ydbackup repo show lists the keys of a repository',
			})
		},
	}
}

/** Asks a provider for its key. Errors: `KEY_UNAVAILABLE`, `CONFIG_INVALID` for a length that no algorithm takes. */
export async function loadKey(provider: KeyProvider, signal: AbortSignal | undefined): Promise<EncryptionKey> {
	let bytes: Uint8Array
	try {
		bytes = await provider.getKey({ signal })
	} catch (error) {
		// The words of a stranger may hold anything, also the key: they are not passed on.
		if (isBackupError(error)) throw error
		throw new BackupError('KEY_UNAVAILABLE', `${provider.name} gives no key`, { advice: 'see that it works by itself' })
	}
	try {
		return encryption.createEncryptionKey(bytes, provider.name)
	} finally {
		bytes.fill(0)
	}
}
