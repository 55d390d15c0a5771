import { randomBytes } from 'node:crypto'

import { BackupError } from '@ydbackup/core'

/**
 * Numbers of kinds of files within an IV. Those below 255 are YDB's (`EBackupFileType`); `objects.json` is ours, and its number is one
 * that YDB has no use for.
 */
export const FILE_TYPES = {
	metadata: 0,
	permissions: 1,
	mapping: 2,
	scheme: 10,
	data: 11,
	changefeed: 12,
	topic: 13,
	/** `create_topic.pb`: its item has no data. */
	topicCreate: 11,
	/** YDB gives all limiters of a node the shard 0, and uses nonces twice by that; ours are numbered. */
	rateLimiter: 11,
	objects: 255,
} as const

export type EncryptedFileType = keyof typeof FILE_TYPES

export const IV_BYTES = 12
const MAX_ITEM = 2 ** 24
const MAX_NUMBER = 2 ** 32

/** The IV that all of one export are derived from. Drawn anew for every run: it is what keeps nonces of two runs apart. */
export function newExportIv(): Uint8Array {
	return Uint8Array.from(randomBytes(IV_BYTES))
}

/**
 * Derives an IV: byte 0 is the kind of file, 1 to 3 the item, 4 to 7 the shard, each XORed into the base. The last four bytes are the
 * number of the block, see {@link blockNonce}. Source: `TEncryptionIV::Combine` in `ydb/core/backup/common/encryption.cpp`.
 */
function combine(base: Uint8Array, type: number, item: number, shard: number): Uint8Array {
	if (!Number.isInteger(item) || item < 0 || item >= MAX_ITEM) throw tooMany(`item ${item}`, MAX_ITEM)
	if (!Number.isInteger(shard) || shard < 0 || shard >= MAX_NUMBER) throw tooMany(`partition ${shard}`, MAX_NUMBER)
	const iv = Uint8Array.from(base)
	const view = new DataView(iv.buffer)
	view.setUint32(0, view.getUint32(0) ^ (((type << 24) | item) >>> 0))
	view.setUint32(4, view.getUint32(4) ^ shard)
	return iv
}

/** The IV of an item, from 1; it stands in `mapping.json`. */
export function itemIv(exportIv: Uint8Array, item: number): Uint8Array {
	return combine(exportIv, 0, item, 0)
}

/** The IV of a file: of an item's one from the item's IV, of the export's own ones from the export's. */
export function fileIv(base: Uint8Array, type: EncryptedFileType, shard = 0): Uint8Array {
	return combine(base, FILE_TYPES[type], 0, shard)
}

/** The nonce of a block of a file; block 0 is the header. */
export function blockNonce(iv: Uint8Array, block: number): Uint8Array {
	if (block >= MAX_NUMBER) throw tooMany(`block ${block}`, MAX_NUMBER)
	const nonce = Uint8Array.from(iv)
	const view = new DataView(nonce.buffer)
	view.setUint32(8, view.getUint32(8) ^ block)
	return nonce
}

/** 24 upper-case hex digits. */
export function ivHex(iv: Uint8Array): string {
	return Buffer.from(iv).toString('hex').toUpperCase()
}

/** Reads what {@link ivHex} gave. Undefined for anything that is no IV. */
export function readIv(text: string): Uint8Array | undefined {
	return /^[0-9A-Fa-f]{24}$/u.test(text) ? Uint8Array.from(Buffer.from(text, 'hex')) : undefined
}

function tooMany(what: string, limit: number): BackupError {
	return new BackupError('UNSUPPORTED', `${what} cannot be encrypted: the format ends before ${limit}`, {
		advice: 'back up less at once, or without encryption',
	})
}
