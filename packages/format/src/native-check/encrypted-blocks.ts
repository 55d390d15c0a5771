import { createDecipheriv, type KeyObject } from 'node:crypto'

import { Broken, demand } from './problem.ts'

const MAC = 16
/** What the server reads (`MAX_BLOCK_SIZE`). */
const LARGEST_BLOCK = 30 << 20

/** The blocks of an encrypted file, each when it is authentic. `onIv` is told the IV of its header. Throws {@link Broken}. */
export async function* encryptedBlocks(
	stream: AsyncIterable<Uint8Array>,
	key: KeyObject,
	onIv: (iv: string) => void,
): AsyncGenerator<Buffer> {
	const pieces = stream[Symbol.asyncIterator]()
	let held = Buffer.alloc(0)
	async function take(count: number): Promise<Buffer> {
		const parts = [held]
		let length = held.length
		while (length < count) {
			const next = await pieces.next()
			demand(next.done !== true, 'is cut off')
			parts.push(Buffer.from(next.value))
			length += next.value.length
		}
		const all = Buffer.concat(parts)
		held = all.subarray(count)
		return all.subarray(0, count)
	}
	const size = await take(2)
	const header = await take(size.readUInt16BE(0))
	demand(header.subarray(0, 4).toString('hex') === '0801120c' && header[16] === 0x1a, 'has a header of another shape')
	const iv = header.subarray(4, 16)
	const name = header.subarray(18).toString().toLowerCase() as 'aes-128-gcm'
	demand(['aes-128-gcm', 'aes-256-gcm', 'chacha20-poly1305'].includes(name), 'names another algorithm')
	function open(number: number, aad: Buffer, sealed: Buffer, mac: Buffer): Buffer {
		const nonce = Buffer.from(iv)
		nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ number) >>> 0, 8)
		try {
			const decipher = createDecipheriv(name, key, nonce, { authTagLength: MAC })
			decipher.setAAD(aad, { plaintextLength: sealed.length })
			decipher.setAuthTag(mac)
			return Buffer.concat([decipher.update(sealed), decipher.final()])
		} catch {
			throw new Broken(`does not decrypt at block ${number}`)
		}
	}
	let mac = await take(MAC)
	open(0, Buffer.concat([size, header]), Buffer.alloc(0), mac)
	onIv(iv.toString('hex').toUpperCase())
	for (let number = 1; ; number++) {
		const length = await take(4)
		demand(length.readUInt32BE(0) <= LARGEST_BLOCK, `has a block of more than 30 MiB at ${number}`)
		const sealed = await take(length.readUInt32BE(0))
		const next = await take(MAC)
		const plain = open(number, Buffer.concat([mac, length]), sealed, next)
		mac = next
		if (plain.length === 0) break
		yield plain
	}
	demand(held.length === 0 && (await pieces.next()).done === true, 'has something behind its end')
}

/** The IV of a place: kind of file, item and shard, each XORed into the base. */
export function placeIv(base: string, type: number, item: number, shard: number): string {
	const place = [
		[type, 2],
		[item, 6],
		[shard, 8],
		[0, 8],
	].map(([value, digits]) => value!.toString(16).padStart(digits!, '0'))
	const iv = BigInt(`0x${base}`) ^ BigInt(`0x${place.join('')}`)
	return iv.toString(16).toUpperCase().padStart(24, '0')
}
