const C1 = 0x239b961b
const C2 = 0xab0e9789 | 0
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93 | 0

/**
 * Adds the 128-bit hash of view[start, end) to four sums, highest word first. The hash is MurmurHash3_x86_128 with seed 0
 * (public domain, Austin Appleby): each block goes into all 128 bits of state, so no single change can cancel out.
 */
export function mixRow(view: DataView, start: number, end: number, sum: Float64Array): void {
	let h1 = 0
	let h2 = 0
	let h3 = 0
	let h4 = 0
	let p = start
	for (const last = end - 16; p <= last; p += 16) {
		let k = Math.imul(view.getInt32(p, true), C1)
		h1 ^= Math.imul((k << 15) | (k >>> 17), C2)
		h1 = (Math.imul(((h1 << 19) | (h1 >>> 13)) + h2, 5) + 0x561ccd1b) | 0
		k = Math.imul(view.getInt32(p + 4, true), C2)
		h2 ^= Math.imul((k << 16) | (k >>> 16), C3)
		h2 = (Math.imul(((h2 << 17) | (h2 >>> 15)) + h3, 5) + 0x0bcaa747) | 0
		k = Math.imul(view.getInt32(p + 8, true), C3)
		h3 ^= Math.imul((k << 17) | (k >>> 15), C4)
		h3 = (Math.imul(((h3 << 15) | (h3 >>> 17)) + h4, 5) + 0x96cd1c35) | 0
		k = Math.imul(view.getInt32(p + 12, true), C4)
		h4 ^= Math.imul((k << 18) | (k >>> 14), C1)
		h4 = (Math.imul(((h4 << 13) | (h4 >>> 19)) + h1, 5) + 0x32ac3b17) | 0
	}
	const left = end - p
	if (left > 0) {
		const last = end - start < 4 ? shortWord(view, p, end) : lastWord(view, end, left)
		let k1 = last
		let k2 = 0
		let k3 = 0
		let k4 = 0
		if (left > 4) {
			k1 = view.getInt32(p, true)
			k2 = last
			if (left > 8) {
				k2 = view.getInt32(p + 4, true)
				k3 = last
				if (left > 12) {
					k3 = view.getInt32(p + 8, true)
					k4 = last
				}
			}
		}
		k4 = Math.imul(k4, C4)
		h4 ^= Math.imul((k4 << 18) | (k4 >>> 14), C1)
		k3 = Math.imul(k3, C3)
		h3 ^= Math.imul((k3 << 17) | (k3 >>> 15), C4)
		k2 = Math.imul(k2, C2)
		h2 ^= Math.imul((k2 << 16) | (k2 >>> 16), C3)
		k1 = Math.imul(k1, C1)
		h1 ^= Math.imul((k1 << 15) | (k1 >>> 17), C2)
	}
	const length = end - start
	h1 ^= length
	h2 ^= length
	h3 ^= length
	h4 ^= length
	h1 = (h1 + h2 + h3 + h4) | 0
	h2 = (h2 + h1) | 0
	h3 = (h3 + h1) | 0
	h4 = (h4 + h1) | 0
	h1 = finish(h1)
	h2 = finish(h2)
	h3 = finish(h3)
	h4 = finish(h4)
	h1 = (h1 + h2 + h3 + h4) | 0
	h2 = (h2 + h1) | 0
	h3 = (h3 + h1) | 0
	h4 = (h4 + h1) | 0
	sum[0]! += h1 >>> 0
	sum[1]! += h2 >>> 0
	sum[2]! += h3 >>> 0
	sum[3]! += h4 >>> 0
}

/** The word of one to four bytes that ends at `end`: read with those before it, which are shifted out. */
function lastWord(view: DataView, end: number, left: number): number {
	return view.getInt32(end - 4, true) >>> ((-left & 3) << 3)
}

/** Of all that there is, when it is less than a word. */
function shortWord(view: DataView, p: number, end: number): number {
	let word = 0
	for (let at = end - 1; at >= p; at--) word = (word << 8) | view.getUint8(at)
	return word
}

function finish(h: number): number {
	h ^= h >>> 16
	h = Math.imul(h, 0x85ebca6b)
	h ^= h >>> 13
	h = Math.imul(h, 0xc2b2ae35)
	return h ^ (h >>> 16)
}
