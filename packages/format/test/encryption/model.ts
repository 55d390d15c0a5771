import { createCipheriv } from 'node:crypto'

/** An encrypted file, from the description of the format alone: no code of ours. */
export function modelFile(algorithm: string, key: Buffer, iv: Buffer, blocks: readonly Buffer[]): Buffer {
	const nonceOf = (number: number): Buffer => {
		const nonce = Buffer.from(iv)
		const counter = (BigInt(`0x${nonce.subarray(8).toString('hex')}`) ^ BigInt(number)).toString(16).padStart(8, '0')
		return Buffer.concat([nonce.subarray(0, 8), Buffer.from(counter, 'hex')])
	}
	const seal = (number: number, open: Buffer, plain: Buffer): [Buffer, Buffer] => {
		const cipher = createCipheriv(algorithm.toLowerCase() as 'aes-128-gcm', key, nonceOf(number), { authTagLength: 16 })
		cipher.setAAD(open)
		const text = Buffer.concat([cipher.update(plain), cipher.final()])
		return [text, cipher.getAuthTag()]
	}
	const hex = (number: number, bytes: number): Buffer =>
		Buffer.from(number.toString(16).padStart(bytes * 2, '0'), 'hex')

	const message = Buffer.from(
		`0801120c${iv.toString('hex')}1a${hex(algorithm.length, 1).toString('hex')}${Buffer.from(algorithm).toString('hex')}`,
		'hex',
	)
	const header = Buffer.concat([hex(message.length, 2), message])
	let [, mac] = seal(0, header, Buffer.alloc(0))
	let file = Buffer.concat([header, mac])
	for (const [index, block] of [...blocks, Buffer.alloc(0)].entries()) {
		const length = hex(block.length, 4)
		const [text, next] = seal(index + 1, Buffer.concat([mac, length]), block)
		file = Buffer.concat([file, length, text, next])
		mac = next
	}
	return file
}
