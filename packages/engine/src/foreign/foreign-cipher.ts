import { BackupError, DEFINED_KINDS, isBackupError, type Storage } from '@ydbackup/core'
import {
	dumpLayout,
	encryption,
	type EncryptionAlgorithm,
	type EncryptionKey,
	layout,
	type MappedItem,
} from '@ydbackup/format'

import type { Keyring } from '../encryption/keyring.ts'
import type { PlacedFile } from '../encryption/file-iv.ts'
import type { Unseal } from '../encryption/unseal.ts'

const KIND = 'SchemaMapping/metadata.json'
const MAPPING = 'SchemaMapping/mapping.json'

const SCHEMES = new Set([dumpLayout.SCHEME, ...DEFINED_KINDS.map((kind) => layout.definitionName(kind))])

/** What decrypts an export that the cluster encrypted. Names are those without `.enc`. */
export interface ForeignCipher {
	readonly keyId: string
	/** Decrypts data files. */
	readonly unseal: Unseal
	/** Says the IVs of the objects, which stand in the mapping. */
	place(items: readonly MappedItem[]): void
	/** Whether a file of an encrypted export is open. */
	isOpen(name: string): boolean
	/** The plain bytes of a small file. Errors: `FORMAT_INVALID`. */
	decryptWhole(name: string, stored: Uint8Array): Promise<Uint8Array>
}

/**
 * Finds the key of an export by the one file that all others are derived from: the first key that opens it. Errors: `KEY_REQUIRED`,
 * `KEY_WRONG`, `KEY_UNAVAILABLE`, `FORMAT_INVALID`.
 */
export async function openForeignCipher(
	{ location }: Storage,
	algorithm: EncryptionAlgorithm,
	first: Uint8Array,
	keyring: Keyring,
): Promise<ForeignCipher> {
	const keys = await keyring.all(location)
	for (const key of keys) {
		const exportIv = await ivOf(first, key, algorithm)
		if (exportIv !== undefined) return createForeignCipher(key, algorithm, exportIv)
	}
	const ids = keys.map(({ id }) => id).join(', ')
	throw new BackupError('KEY_WRONG', `${location} is encrypted with ${algorithm}, and not with the key ${ids}`, {
		advice: `give the key that the export was made with; if it is the right one, ${KIND}.enc is damaged`,
	})
}

/** Undefined when the key is another one. Errors: `FORMAT_INVALID` for what is damaged whatever the key. */
async function ivOf(
	stored: Uint8Array,
	key: EncryptionKey,
	algorithm: EncryptionAlgorithm,
): Promise<Uint8Array | undefined> {
	let found: Uint8Array | undefined
	const onHeader = ({ iv }: { readonly iv: Uint8Array }): void => {
		found = iv
	}
	try {
		await encryption.decryptWhole(stored, { key, algorithm, iv: undefined, name: `${KIND}.enc`, onHeader })
	} catch (error) {
		if (isBackupError(error, 'KEY_WRONG')) return undefined
		if (isBackupError(error, 'FORMAT_INVALID') && error.reason === 'header' && found === undefined) return undefined
		throw error
	}
	return found
}

function createForeignCipher(key: EncryptionKey, algorithm: EncryptionAlgorithm, exportIv: Uint8Array): ForeignCipher {
	const ivs = new Map<string, Uint8Array>()
	/** Undefined for files whose IV is not known: the one in their headers is taken. */
	function ivOfName(name: string): Uint8Array | undefined {
		if (name === KIND) return encryption.fileIv(exportIv, 'metadata')
		if (name === MAPPING) return encryption.fileIv(exportIv, 'mapping')
		const cut = name.lastIndexOf('/')
		const folder = name.slice(0, Math.max(0, cut))
		const file = name.slice(cut + 1)
		const item = ivs.get(folder)
		if (item === undefined) return ivOfFeed(folder, file)
		if (file === layout.definitionName('topic')) return encryption.fileIv(item, 'topicCreate')
		if (SCHEMES.has(file)) return encryption.fileIv(item, 'scheme')
		if (file === dumpLayout.METADATA) return encryption.fileIv(item, 'metadata')
		if (file === dumpLayout.PERMISSIONS) return encryption.fileIv(item, 'permissions')
		const data = dumpLayout.readDataName(file)
		return data && encryption.fileIv(item, 'data', data.number)
	}
	/** Changefeeds lie in folders that are numbered from 1, and their IVs from 0. */
	function ivOfFeed(folder: string, file: string): Uint8Array | undefined {
		const cut = folder.lastIndexOf('/')
		const item = ivs.get(folder.slice(0, Math.max(0, cut)))
		const number = /^\d{3,}$/u.exec(folder.slice(cut + 1))
		if (item === undefined || number === null) return undefined
		if (file === layout.partName('changefeed')) return encryption.fileIv(item, 'changefeed', Number(number[0]) - 1)
		return file === layout.partTopicName ? encryption.fileIv(item, 'topic', Number(number[0]) - 1) : undefined
	}
	const optionsOf = (name: string): Parameters<typeof encryption.decryptWhole>[1] => ({
		key,
		algorithm,
		iv: ivOfName(name),
		name: `${name}${layout.encryptedSuffix}`,
	})
	const openName = ({ key: stored }: PlacedFile): string => stored.slice(0, -layout.encryptedSuffix.length)
	return {
		keyId: key.id,
		unseal: {
			exportIvOf: () => exportIv,
			decrypt: (file, stored) => encryption.decryptFile(stored, optionsOf(openName(file))),
			decryptWhole: (file, stored) => encryption.decryptWhole(stored, optionsOf(openName(file))),
		},
		place(items) {
			for (const { exportPrefix, iv } of items) {
				const bytes = iv === undefined ? undefined : encryption.readIv(iv)
				if (bytes !== undefined) ivs.set(exportPrefix, bytes)
			}
		},
		isOpen: (name) => name === dumpLayout.METADATA || name.endsWith('.sha256'),
		decryptWhole: (name, stored) => encryption.decryptWhole(stored, optionsOf(name)),
	}
}
