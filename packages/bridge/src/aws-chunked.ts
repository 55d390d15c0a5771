import { S3Error } from './s3-error.ts'

const LONGEST_LINE = 1024
const LF = 10

/**
 * The bytes of a body in the framing `aws-chunked`, and its trailers at the end. Source: Amazon S3 API reference, "Transferring payload
 * in multiple chunks". Signatures of single chunks are not looked at: such bodies are refused before.
 */
export async function* decodeChunked(
	body: AsyncIterable<Buffer>,
	trailers: Map<string, string>,
): AsyncGenerator<Buffer, void, undefined> {
	let rest: Buffer = Buffer.alloc(0)
	let isEnded = false
	const source = body[Symbol.asyncIterator]()

	async function more(): Promise<void> {
		const { done, value } = await source.next()
		if (done === true) isEnded = true
		else rest = rest.length === 0 ? value : Buffer.concat([rest, value])
	}
	async function line(): Promise<string | undefined> {
		for (;;) {
			const end = rest.indexOf(LF)
			if (end >= 0) {
				const text = rest.subarray(0, end).toString('latin1').trimEnd()
				rest = rest.subarray(end + 1)
				return text
			}
			if (rest.length > LONGEST_LINE) throw new S3Error('InvalidRequest', 'a line between chunks is too long')
			if (isEnded) return undefined
			await more()
		}
	}

	for (;;) {
		const head = await line()
		const digits = /^([0-9a-f]{1,8})(?:;.*)?$/iu.exec(head ?? '')?.[1]
		if (digits === undefined) throw new S3Error('IncompleteBody', 'the body is cut off between its chunks')
		let left = Number.parseInt(digits, 16)
		if (left === 0) break
		while (left > 0) {
			if (rest.length === 0) await more()
			if (isEnded && rest.length === 0) throw new S3Error('IncompleteBody', 'the body is cut off in a chunk')
			const piece = rest.subarray(0, left)
			rest = rest.subarray(piece.length)
			left -= piece.length
			if (piece.length > 0) yield piece
		}
		if ((await line()) !== '') throw new S3Error('InvalidRequest', 'a chunk is longer than it says')
	}
	for (let text = await line(); text !== undefined; text = await line()) {
		const [name = '', value = ''] = text.split(/:(.*)/su)
		if (name !== '') trailers.set(name.toLowerCase(), value.trim())
	}
}
