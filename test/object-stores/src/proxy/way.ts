import { Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** What happens to the bytes of one direction of one connection. Offsets are bytes of that direction, from 0. */
export interface WayFault {
	/** So many bytes pass, then both sides are closed: see `cut` of the fault. */
	readonly cutAfter?: number
	/** So many bytes pass, then nothing more in this direction, while the connection stays open. */
	readonly stallAfter?: number
	/** The lowest bit of this byte arrives flipped. */
	readonly flipAt?: number
	/** Each piece arrives so much later, in milliseconds. */
	readonly delayMs?: number
	/** Rate in bytes per second. */
	readonly bytesPerSecond?: number
}

/** The piece of a stream that begins at byte `at`, with the bit of byte `flipAt` flipped if it is in there. */
export function flipped(piece: Buffer, at: number, flipAt: number | undefined): Buffer {
	const index = (flipAt ?? -1) - at
	if (index < 0 || index >= piece.length) return piece
	const copy = Buffer.from(piece)
	copy[index]! ^= 1
	return copy
}

/** One direction. `onCut` is called when the bytes that may pass have been handed on. */
export function way(fault: WayFault, onCut: () => void): Transform {
	const { cutAfter = Infinity, stallAfter = Infinity, flipAt, delayMs = 0, bytesPerSecond = Infinity } = fault
	const limit = Math.min(cutAfter, stallAfter)
	let seen = 0
	return new Transform({
		transform(piece: Buffer, _encoding, done) {
			const at = seen
			seen += piece.length
			const passing = flipped(piece, at, flipAt).subarray(0, Math.max(0, limit - at))
			const isOver = seen > limit || seen === cutAfter
			const pass = (): void => {
				if (passing.length > 0) this.push(passing)
				if (!isOver) done()
				// Without `done` nothing more is taken: that is the stall.
				else if (cutAfter <= stallAfter) setImmediate(onCut)
			}
			const wait = delayMs + (passing.length / bytesPerSecond) * 1000
			if (wait > 0) void sleep(wait, undefined, { ref: false }).then(pass)
			else pass()
		},
	})
}
