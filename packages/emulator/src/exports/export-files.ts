import { once } from 'node:events'
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib'
import { createHash } from 'node:crypto'
import { type Algorithm, FileEncryptor } from './encryption.ts'
import { checksumText, sha256, SHA256_SUFFIX } from './layout.ts'
import { persistently, type Persistence } from './retries.ts'
import type { S3Client } from './s3-client.ts'

/** How files of an export are written. */
export interface Writing {
	readonly client: S3Client
	readonly persistence: Persistence
	readonly storageClass: string | undefined
	readonly hasChecksums: boolean
	/** Level of zstd for data, or none. */
	readonly level: number | undefined
	readonly encryption: { readonly algorithm: Algorithm; readonly key: Uint8Array } | undefined
	/** Bytes of output after which a part of a data file ends. */
	readonly partBytes: number
	/** Before each part. */
	readonly onPart: () => Promise<void>
}

/** Who writes a checksum: files of tables have their name in it, those of the scheme do not. */
export type Checksummed = 'table' | 'scheme'

/** Writes a small file and its checksum. `iv` is that of the file; without it the file stays in clear. */
export async function writeText(
	{ client, persistence, storageClass, hasChecksums, encryption }: Writing,
	key: string,
	text: string,
	by: Checksummed,
	iv: Buffer | undefined,
): Promise<void> {
	const { signal } = persistence
	const put = (name: string, body: Buffer): Promise<void> =>
		persistently(() => client.put(name, body, storageClass, signal), persistence)
	const bytes = Buffer.from(text)
	if (encryption && iv)
		await put(`${key}.enc`, new FileEncryptor(encryption.algorithm, encryption.key, iv).add(bytes, true))
	else await put(key, bytes)
	if (!hasChecksums) return
	const leaf = key.slice(key.lastIndexOf('/') + 1)
	await put(key + SHA256_SUFFIX, Buffer.from(checksumText(sha256(bytes), by === 'table' ? leaf : undefined)))
}

/** One frame of zstd, or bytes as they come. */
class Frame {
	readonly #level: number | undefined
	#stream: ZstdCompress | undefined
	#out: Buffer[] = []
	/** Bytes of output that are there. */
	size = 0

	constructor(level: number | undefined) {
		this.#level = level
	}

	async write(bytes: Buffer): Promise<void> {
		if (bytes.length === 0) return
		if (this.#level === undefined) {
			this.#push(Buffer.from(bytes))
			return
		}
		if (!this.#stream) {
			this.#stream = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: this.#level } })
			this.#stream.on('data', (piece: Buffer) => this.#push(piece))
		}
		const stream = this.#stream
		await new Promise<void>((resolve, reject) =>
			stream.write(Buffer.from(bytes), (error) => (error ? reject(error) : resolve())),
		)
	}

	#push(piece: Buffer): void {
		this.#out.push(piece)
		this.size += piece.length
	}

	/** The whole of it; the next one begins. */
	async end(): Promise<Buffer> {
		if (this.#stream) {
			this.#stream.end()
			await once(this.#stream, 'end')
			this.#stream = undefined
		}
		const out = Buffer.concat(this.#out)
		this.#out = []
		this.size = 0
		return out
	}
}

/** A data file: one put when it is one part, else an upload of parts. */
class Upload {
	readonly #writing: Writing
	readonly #key: string
	readonly #etags: string[] = []
	#held: Buffer | undefined
	#id: string | undefined

	constructor(writing: Writing, key: string) {
		this.#writing = writing
		this.#key = key
	}

	async add(part: Buffer): Promise<void> {
		if (this.#held) await this.#send(this.#held)
		this.#held = part
	}

	async #send(part: Buffer): Promise<void> {
		const { client, storageClass, persistence, onPart } = this.#writing
		this.#id ??= await client.createUpload(this.#key, storageClass, persistence.signal)
		await onPart()
		this.#etags.push(await client.putPart(this.#key, this.#id, this.#etags.length + 1, part, persistence.signal))
	}

	async end(): Promise<void> {
		const { client, storageClass, persistence, onPart } = this.#writing
		const { signal } = persistence
		const last = this.#held ?? Buffer.alloc(0)
		if (this.#id === undefined) {
			await onPart()
			return client.put(this.#key, last, storageClass, signal)
		}
		await this.#send(last)
		await client.completeUpload(this.#key, this.#id, this.#etags, signal)
	}

	/** Also when the export was cancelled; a store that does not answer keeps its parts. */
	async abort(): Promise<void> {
		if (this.#id !== undefined)
			await this.#writing.client.abortUpload(this.#key, this.#id, AbortSignal.timeout(1000)).catch(() => {})
	}
}

/**
 * Writes the rows of one partition, each piece whole lines of CSV. A failure that the store may get over begins with the first row again.
 * Every part ends a frame of zstd and a block of encryption at the end of a line. Source: export_s3_buffer.cpp.
 */
export async function writeData(
	writing: Writing,
	key: string,
	lines: () => Iterable<Buffer>,
	iv: Buffer | undefined,
): Promise<void> {
	const { level, encryption, partBytes, persistence } = writing
	const name = `${key}.csv`
	const stored = `${name}${level === undefined ? '' : '.zst'}${encryption && iv ? '.enc' : ''}`
	const digest = await persistently(
		async () => {
			const hash = createHash('sha256')
			const frame = new Frame(level)
			const upload = new Upload(writing, stored)
			const encryptor = encryption && iv && new FileEncryptor(encryption.algorithm, encryption.key, iv)
			const flush = async (last: boolean): Promise<void> => {
				const part = await frame.end()
				await upload.add(encryptor ? encryptor.add(part, last) : part)
			}
			try {
				for (const piece of lines()) {
					persistence.signal.throwIfAborted()
					hash.update(piece)
					await frame.write(piece)
					if (frame.size >= partBytes) await flush(false)
				}
				await flush(true)
				await upload.end()
			} catch (error) {
				await upload.abort()
				throw error
			}
			return hash.digest('hex')
		},
		{ ...persistence, isSpread: true },
	)
	if (!writing.hasChecksums) return
	const leaf = name.slice(name.lastIndexOf('/') + 1)
	await persistently(
		() =>
			writing.client.put(
				name + SHA256_SUFFIX,
				Buffer.from(checksumText(digest, leaf)),
				writing.storageClass,
				persistence.signal,
			),
		persistence,
	)
}
