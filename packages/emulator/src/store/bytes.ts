/** Compares two byte ranges as memcmp does. Keys are short: a native call costs more than the loop. */
export function compareBytes(
	a: Uint8Array,
	aStart: number,
	aEnd: number,
	b: Uint8Array,
	bStart: number,
	bEnd: number,
): number {
	const length = Math.min(aEnd - aStart, bEnd - bStart)
	for (let at = 0; at < length; at++) {
		const difference = a[aStart + at]! - b[bStart + at]!
		if (difference !== 0) return difference
	}
	return aEnd - aStart - (bEnd - bStart)
}
