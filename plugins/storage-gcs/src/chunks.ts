import type { PutBody, PutOptions } from '@ydbackup/core'
import { checked, checkWhole, untilAborted } from '@ydbackup/core/driver-kit'

/** A part of a body. Its bytes stay as they are until the next but one is asked for. */
export interface Chunk {
	readonly bytes: Uint8Array
	/** Where it begins in the body. */
	readonly start: number
	readonly isLast: boolean
}

const SMALLEST_BUFFER = 64 << 10

/**
 * Cuts a body into chunks of exactly `chunkBytes`, the last one shorter or as long. Two buffers are filled in turn. A body that
 * is not what was declared throws before its last chunk is handed out.
 */
export async function* chunksOf(
	key: string,
	body: PutBody,
	declared: PutOptions,
	chunkBytes: number,
	signal: AbortSignal,
): AsyncGenerator<Chunk, undefined> {
	if (body instanceof Uint8Array) {
		checkWhole(body, key, declared)
		for (let start = 0; start < body.length || start === 0; start += chunkBytes) {
			const bytes = body.subarray(start, start + chunkBytes)
			yield { bytes, start, isLast: start + bytes.length === body.length }
		}
		return
	}
	let [filling, spare] = [Buffer.alloc(0), Buffer.alloc(0)]
	let [filled, start] = [0, 0]
	for await (const piece of checked(untilAborted(body(), signal, `writing ${key}`), key, declared)) {
		for (let at = 0; at < piece.length;) {
			// Only with a byte in hand that comes after it is a full chunk known not to be the last.
			if (filled === chunkBytes) {
				yield { bytes: filling, start, isLast: false }
				start += filled
				;[filling, spare, filled] = [spare, filling, 0]
			}
			const wanted = Math.min(piece.length - at, chunkBytes - filled)
			if (filled + wanted > filling.length) {
				const length = Math.max(SMALLEST_BUFFER, start > 0 ? chunkBytes : (filled + wanted) * 2)
				const larger = Buffer.allocUnsafeSlow(Math.min(chunkBytes, length))
				filling.copy(larger, 0, 0, filled)
				filling = larger
			}
			filling.set(piece.subarray(at, at + wanted), filled)
			filled += wanted
			at += wanted
		}
	}
	yield { bytes: filling.subarray(0, filled), start, isLast: true }
}
