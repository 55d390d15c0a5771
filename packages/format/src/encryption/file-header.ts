import { readAlgorithm, type EncryptionAlgorithm } from './algorithm.ts'
import { IV_BYTES } from './iv.ts'

/** `NKikimr.NBackup.TExportEncryptedFileHeader`. */
export interface FileHeader {
	/** Of the file. */
	readonly iv: Uint8Array
	readonly algorithm: EncryptionAlgorithm
}

export const MAX_HEADER_BYTES: number = 16 << 10

/** The header with its length before it, as it is authenticated. */
export function encodeFileHeader({ iv, algorithm }: FileHeader): Buffer {
	const name = Buffer.from(algorithm)
	const body = Buffer.concat([Uint8Array.of(0x08, 1, 0x12, iv.length), iv, Uint8Array.of(0x1a, name.length), name])
	const length = Buffer.alloc(2)
	length.writeUInt16BE(body.length)
	return Buffer.concat([length, body])
}

/** Reads a header without its length. A text says why it is none. Fields that are not known are passed over. */
export function readFileHeader(body: Uint8Array): FileHeader | string {
	let at = 0
	let version: number | undefined
	let iv: Uint8Array | undefined
	let name: string | undefined

	function varint(): number | undefined {
		let value = 0
		for (let shift = 1; at < body.length && shift <= 2 ** 63; shift *= 128) {
			const byte = body[at++]!
			value += (byte & 0x7f) * shift
			if (byte < 0x80) return value
		}
		return undefined
	}

	while (at < body.length) {
		const tag = varint()
		const wire = (tag ?? 0) % 8
		const value = tag === undefined || wire === 1 || wire === 5 ? undefined : varint()
		const length = wire === 2 ? value : wire === 1 ? 8 : wire === 5 ? 4 : 0
		if (tag === undefined || length === undefined || at + length > body.length || ![0, 1, 2, 5].includes(wire)) {
			return 'its header is no message'
		}
		if (wire === 0 && value === undefined) return 'its header is no message'
		const bytes = body.subarray(at, at + length)
		at += length
		if (tag === 0x08) version = value
		else if (tag === 0x12) iv = Uint8Array.from(bytes)
		else if (tag === 0x1a) name = Buffer.from(bytes).toString('latin1')
	}
	if (version !== 1) return `its header has version ${version ?? 'none'}, and 1 is known`
	if (iv?.length !== IV_BYTES) return `its header has an IV of ${iv?.length ?? 0} bytes instead of ${IV_BYTES}`
	const algorithm = name === undefined ? undefined : readAlgorithm(name)
	if (algorithm === undefined) return `its header names the algorithm ${JSON.stringify((name ?? '').slice(0, 80))}`
	return { iv, algorithm }
}
