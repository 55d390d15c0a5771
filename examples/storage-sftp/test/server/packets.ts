/** What a packet of SFTP is read from, field by field. */
export class Reader {
	readonly #bytes: Buffer
	#at = 0

	constructor(bytes: Buffer) {
		this.#bytes = bytes
	}

	byte(): number {
		return this.#bytes.readUInt8(this.#at++)
	}

	int(): number {
		this.#at += 4
		return this.#bytes.readUInt32BE(this.#at - 4)
	}

	long(): number {
		this.#at += 8
		return Number(this.#bytes.readBigUInt64BE(this.#at - 8))
	}

	bytes(): Buffer {
		const length = this.int()
		this.#at += length
		return this.#bytes.subarray(this.#at - length, this.#at)
	}

	text(): string {
		return this.bytes().toString()
	}
}

export const int = (value: number): Buffer => {
	const bytes = Buffer.alloc(4)
	bytes.writeUInt32BE(value)
	return bytes
}

export const long = (value: number): Buffer => {
	const bytes = Buffer.alloc(8)
	bytes.writeBigUInt64BE(BigInt(Math.floor(value)))
	return bytes
}

export const bytesOf = (value: string | Buffer): Buffer => {
	const bytes = Buffer.from(value as string)
	return Buffer.concat([int(bytes.length), bytes])
}

/** Cuts a stream into packets, without their lengths. */
export function packets(onPacket: (packet: Buffer) => void): (bytes: Buffer) => void {
	let rest: Buffer = Buffer.alloc(0)
	return (bytes) => {
		rest = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes
		while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
			const end = 4 + rest.readUInt32BE()
			onPacket(rest.subarray(4, end))
			rest = rest.subarray(end)
		}
	}
}
