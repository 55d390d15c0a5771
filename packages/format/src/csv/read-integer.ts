/** The 64-bit number that was read last: its lower and its upper word. An array, because a variable of that size is boxed each time. */
export const halves: Uint32Array = new Uint32Array(2)

/** A whole number of 64 bits into {@link halves}; false when b[p, end) is none or does not fit. */
export function readHalves(b: Buffer, p: number, end: number, signed: boolean): boolean {
	let negative = false
	const first = b[p]
	if (first === 45 || first === 43) {
		negative = first === 45
		if (negative && !signed) return false
		p++
	}
	if (p === end) return false
	while (p < end - 1 && b[p] === 48) p++
	if (end - p > 20) return false
	let upper = 0
	const split = end - 9
	for (; p < split; p++) {
		const digit = b[p]! - 48
		if (digit < 0 || digit > 9) return false
		upper = upper * 10 + digit
	}
	let lower = 0
	for (; p < end; p++) {
		const digit = b[p]! - 48
		if (digit < 0 || digit > 9) return false
		lower = lower * 10 + digit
	}
	if (!joinBillions(upper, lower)) return false
	if (!signed) return true
	const high = halves[1]!
	if (high > 0x7fff_ffff && !(negative && high === 0x8000_0000 && halves[0] === 0)) return false
	if (negative) negate()
	return true
}

/** upper * 10^9 + lower into {@link halves}, upper below 2^37 and lower below 10^9; false when that takes more than 64 bits. */
export function joinBillions(upper: number, lower: number): boolean {
	const upperHigh = Math.floor(upper / 65_536)
	const a = upperHigh * 1_000_000_000
	const c = (upper - upperHigh * 65_536) * 1_000_000_000 + lower
	const aHigh = Math.floor(a / 65_536)
	const sum = (a - aHigh * 65_536) * 65_536 + c
	const carry = Math.floor(sum / 0x1_0000_0000)
	const high = aHigh + carry
	halves[0] = sum - carry * 0x1_0000_0000
	halves[1] = high
	return high <= 0xffff_ffff
}

/** The two's complement of {@link halves}. */
export function negate(): void {
	const low = -halves[0]! >>> 0
	halves[1] = low === 0 ? -halves[1]! : ~halves[1]!
	halves[0] = low
}

/** Splits a whole number from -2^53 to 2^53 into {@link halves}. */
export function splitSafe(value: number): void {
	const upper = Math.floor(value / 0x1_0000_0000)
	halves[1] = upper
	halves[0] = value - upper * 0x1_0000_0000
}
