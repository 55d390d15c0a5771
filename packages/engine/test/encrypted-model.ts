import { createDecipheriv } from 'node:crypto'

/** One encrypted file taken apart by the description of the format alone. */
export interface ModelFile {
	readonly iv: string
	/** Nonce in hex → what was encrypted under it. */
	readonly sealed: ReadonlyMap<string, string>
	readonly plain: Buffer
}

export function readModelFile(file: Buffer, key: Buffer): ModelFile {
	const headerEnd = 2 + file.readUInt16BE(0)
	const header = file.subarray(0, headerEnd)
	const iv = header.subarray(6, 18)
	const algorithm = header.subarray(20).toString().toLowerCase() as 'aes-128-gcm'
	const sealed = new Map<string, string>()
	const open = (number: number, aad: Buffer, text: Buffer, mac: Buffer): Buffer => {
		const nonce = Buffer.from(iv)
		nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ number) >>> 0, 8)
		const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: 16 })
		decipher.setAAD(aad)
		decipher.setAuthTag(mac)
		sealed.set(nonce.toString('hex'), `${text.toString('hex')} ${mac.toString('hex')}`)
		return Buffer.concat([decipher.update(text), decipher.final()])
	}
	let at = headerEnd + 16
	let mac = file.subarray(headerEnd, at)
	open(0, header, Buffer.alloc(0), mac)
	const plain: Buffer[] = []
	for (let number = 1; ; number++) {
		const length = file.subarray(at, at + 4)
		const end = at + 4 + length.readUInt32BE(0)
		plain.push(open(number, Buffer.concat([mac, length]), file.subarray(at + 4, end), file.subarray(end, end + 16)))
		mac = file.subarray(end, end + 16)
		at = end + 16
		if (length.readUInt32BE(0) === 0) break
	}
	if (at !== file.length) throw new Error('something follows')
	return { iv: iv.toString('hex').toUpperCase(), sealed, plain: Buffer.concat(plain) }
}

/** The nonces of the parts of a file that are there, of a file that may be cut off anywhere: nonce → the ciphertext so far. */
export function noncesOf(sent: Buffer): Map<string, Buffer> {
	const found = new Map<string, Buffer>()
	if (sent.length < 2) return found
	const headerEnd = 2 + sent.readUInt16BE(0)
	if (sent.length < headerEnd + 16) return found
	const iv = sent.subarray(6, 18)
	let at = headerEnd + 16
	for (let number = 1; at + 4 <= sent.length; number++) {
		const length = sent.readUInt32BE(at)
		const nonce = Buffer.from(iv)
		nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ number) >>> 0, 8)
		found.set(nonce.toString('hex'), sent.subarray(at + 4, at + 4 + length + 16))
		at += 4 + length + 16
	}
	return found
}
