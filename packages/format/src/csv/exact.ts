/**
 * Products and quotients of doubles together with what rounding took from them, so that numbers of 17 digits can be printed and
 * read without strings. Dekker, "A floating-point technique for extending the available precision" (1971).
 */

const SPLITTER = 2 ** 27 + 1

/** What the rounding of a * b left over: a * b is exactly `product` plus this. For |a|, |b| far from the ends of the range of doubles. */
export function productRest(a: number, b: number, product: number): number {
	let t = SPLITTER * a
	const aHigh = t - (t - a)
	const aLow = a - aHigh
	t = SPLITTER * b
	const bHigh = t - (t - b)
	const bLow = b - bHigh
	return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)
}

/** 10^0 to 10^22: the powers of ten that doubles hold exactly. */
export const TENS: Float64Array = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))

/**
 * (high + low) / 10^scale rounded to the nearest double, or NaN when it lies so close to the middle between two doubles that
 * this arithmetic cannot tell them apart. `low` is what rounding took from `high`; 0 <= scale <= 22.
 */
export function divideExactly(high: number, low: number, scale: number): number {
	const power = TENS[scale]!
	const quotient = high / power
	const product = quotient * power
	const rest = high - product - productRest(quotient, power, product) + low
	const correction = rest / power
	// Its error is below 2^-50 of itself: when both ends of that lead to one double, it is the right one.
	const result = quotient + correction * (1 + 2 ** -45)
	return result === quotient + correction * (1 - 2 ** -45) ? result : Number.NaN
}
