import { createCipheriv, createDecipheriv } from 'node:crypto'

/** Names as they are stored, with the bytes of their keys. Source: ydb/core/backup/common/encryption.cpp. */
const KEY_BYTES = { 'AES-128-GCM': 16, 'AES-256-GCM': 32, 'ChaCha20-Poly1305': 32 } as const
export type Algorithm = keyof typeof KEY_BYTES

const IV_BYTES = 12
const MAC_BYTES = 16
/** Source: encryption.cpp at the commit that the reference names; newer ones may allow 50 MiB. */
export const MAX_BLOCK_BYTES: number = 30 << 20
const MAX_HEADER_BYTES = 16_384

const CORRUPTED = 'File is corrupted'

/** Kinds of files in derived IVs. Source: EBackupFileType. */
export const FILE = {
	metadata: 0,
	permissions: 1,
	mapping: 2,
	scheme: 10,
	data: 11,
	changefeed: 12,
	changefeedTopic: 13,
	/** create_topic.pb. */
	topic: 11,
} as const

const plain = (name: string): string => name.replace(/[-_]/g, '').toLowerCase()

/** Throws `Unknown cipher algorithm`. */
export function algorithmNamed(name: string): Algorithm {
	const found = (Object.keys(KEY_BYTES) as Algorithm[]).find((known) => plain(known) === plain(name))
	if (!found) throw new TypeError(`Unknown cipher algorithm: "${name}"`)
	return found
}

export function checkKey(algorithm: Algorithm, key: Uint8Array): void {
	const wanted = KEY_BYTES[algorithm]
	if (key.length !== wanted) throw new TypeError(`Invalid key length ${key.length}. Expected: ${wanted}`)
}

/** Source: TEncryptionIV::Combine: byte 0 is the kind, 1 to 3 the item, 4 to 7 the shard. */
export function combinedIv(base: Uint8Array, kind: number, item = 0, shard = 0): Buffer {
	const iv = Buffer.from(base)
	iv[0]! ^= kind
	iv.writeUIntBE(iv.readUIntBE(1, 3) ^ item, 1, 3)
	iv.writeUInt32BE((iv.readUInt32BE(4) ^ shard) >>> 0, 4)
	return iv
}

function nonceOf(iv: Buffer, chunk: number): Buffer {
	const nonce = Buffer.from(iv)
	nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ chunk) >>> 0, 8)
	return nonce
}

const nodeName = (algorithm: Algorithm): 'aes-128-gcm' => algorithm.toLowerCase() as 'aes-128-gcm'

function headerOf(algorithm: Algorithm, iv: Buffer): Buffer {
	const name = Buffer.from(algorithm)
	const body = Buffer.concat([Buffer.from([0x08, 1, 0x12, IV_BYTES]), iv, Buffer.from([0x1a, name.length]), name])
	const length = Buffer.alloc(2)
	length.writeUInt16BE(body.length)
	return Buffer.concat([length, body])
}

/** Writes one encrypted file, block by block. Each block is one AEAD call that continues the MAC before it. */
export class FileEncryptor {
	readonly #algorithm: Algorithm
	readonly #key: Uint8Array
	readonly #iv: Buffer
	#chunk = 0
	#mac = Buffer.alloc(0)

	constructor(algorithm: Algorithm, key: Uint8Array, iv: Buffer) {
		checkKey(algorithm, key)
		this.#algorithm = algorithm
		this.#key = key
		this.#iv = iv
	}

	#seal(associated: Buffer, text: Uint8Array): Buffer {
		const nonce = nonceOf(this.#iv, this.#chunk++)
		const cipher = createCipheriv(nodeName(this.#algorithm), this.#key, nonce, { authTagLength: MAC_BYTES })
		cipher.setAAD(associated, { plaintextLength: text.length })
		const sealed = Buffer.concat([cipher.update(text), cipher.final()])
		this.#mac = cipher.getAuthTag()
		return sealed
	}

	#block(text: Uint8Array): Buffer {
		const length = Buffer.alloc(4)
		length.writeUInt32BE(text.length)
		const sealed = this.#seal(Buffer.concat([this.#mac, length]), text)
		return Buffer.concat([length, sealed, this.#mac])
	}

	/** Bytes of the file for these bytes of text; the header before the first, the end behind the last. */
	add(text: Uint8Array, last: boolean): Buffer {
		const out: Buffer[] = []
		if (this.#chunk === 0) {
			const header = headerOf(this.#algorithm, this.#iv)
			this.#seal(header, Buffer.alloc(0))
			out.push(header, this.#mac)
		}
		if (text.length > MAX_BLOCK_BYTES) throw new RangeError(`Block is too large: ${text.length}`)
		if (text.length > 0) out.push(this.#block(text))
		if (last) out.push(this.#block(Buffer.alloc(0)))
		return Buffer.concat(out)
	}
}

interface Header {
	readonly iv: Buffer
	readonly algorithm: Algorithm
}

function parseHeader(body: Buffer): Header {
	let at = 0
	let iv: Buffer | undefined
	let name: string | undefined
	let version = 0
	while (at < body.length) {
		const tag = body[at++]!
		if (tag === 0x08) version = body[at++] ?? 0
		else if (tag === 0x12 || tag === 0x1a) {
			const length = body[at++] ?? 255
			const part = body.subarray(at, at + length)
			if (part.length !== length) throw new TypeError(CORRUPTED)
			at += length
			if (tag === 0x12) iv = Buffer.from(part)
			else name = part.toString()
		} else throw new TypeError(CORRUPTED)
	}
	if (version !== 1 || iv?.length !== IV_BYTES || name === undefined) throw new TypeError(CORRUPTED)
	return { iv, algorithm: algorithmNamed(name) }
}

/** Reads one encrypted file from pieces of any size. Throws `File is corrupted`; what was given out before was authenticated. */
export class FileDecryptor {
	readonly #key: Uint8Array
	readonly #expected: Buffer | undefined
	#header: Header | undefined
	#rest: Buffer = Buffer.alloc(0)
	#chunk = 0
	#mac = Buffer.alloc(0)
	#isDone = false

	/** `expected` is the IV that the file must have. */
	constructor(key: Uint8Array, expected?: Buffer) {
		this.#key = key
		this.#expected = expected
	}

	/** The IV that the file's header has; only after its header was read. */
	get iv(): Buffer | undefined {
		return this.#header?.iv
	}

	#open({ iv, algorithm }: Header, associated: Buffer, sealed: Buffer, mac: Buffer): Buffer {
		checkKey(algorithm, this.#key)
		const nonce = nonceOf(iv, this.#chunk++)
		const decipher = createDecipheriv(nodeName(algorithm), this.#key, nonce, { authTagLength: MAC_BYTES })
		decipher.setAAD(associated, { plaintextLength: sealed.length })
		decipher.setAuthTag(mac)
		try {
			const text = Buffer.concat([decipher.update(sealed), decipher.final()])
			this.#mac = Buffer.from(mac)
			return text
		} catch {
			throw new TypeError(CORRUPTED)
		}
	}

	/** The text of the blocks that are complete now. */
	add(piece: Uint8Array): Buffer[] {
		this.#rest = this.#rest.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#rest, piece])
		const texts: Buffer[] = []
		while (this.#rest.length > 0) {
			if (this.#isDone) throw new TypeError(CORRUPTED)
			const rest = this.#rest
			if (!this.#header) {
				if (rest.length < 2) break
				const size = rest.readUInt16BE()
				if (size > MAX_HEADER_BYTES) throw new TypeError(CORRUPTED)
				if (rest.length < 2 + size + MAC_BYTES) break
				const header = parseHeader(rest.subarray(2, 2 + size))
				const mac = rest.subarray(2 + size, 2 + size + MAC_BYTES)
				this.#open(header, rest.subarray(0, 2 + size), Buffer.alloc(0), mac)
				if (this.#expected && !this.#expected.equals(header.iv)) throw new TypeError(CORRUPTED)
				this.#header = header
				this.#rest = rest.subarray(2 + size + MAC_BYTES)
				continue
			}
			if (rest.length < 4) break
			const size = rest.readUInt32BE()
			if (size > MAX_BLOCK_BYTES) throw new TypeError(CORRUPTED)
			const end = 4 + size + MAC_BYTES
			if (rest.length < end) break
			const associated = Buffer.concat([this.#mac, rest.subarray(0, 4)])
			const text = this.#open(this.#header, associated, rest.subarray(4, 4 + size), rest.subarray(4 + size, end))
			if (size === 0) this.#isDone = true
			else texts.push(text)
			this.#rest = rest.subarray(end)
		}
		return texts
	}

	/** Must be called at the end of the file. */
	end(): void {
		if (!this.#isDone || this.#rest.length > 0) throw new TypeError(CORRUPTED)
	}
}

/** A whole file, and the IV in its header. */
export function decryptFile(bytes: Uint8Array, key: Uint8Array, expected?: Buffer): { text: Buffer; iv: Buffer } {
	const decryptor = new FileDecryptor(key, expected)
	const text = Buffer.concat(decryptor.add(bytes))
	decryptor.end()
	return { text, iv: decryptor.iv! }
}
