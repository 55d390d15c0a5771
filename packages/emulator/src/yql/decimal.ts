// Arithmetic of Decimals as their digits. Special values stand outside the digits, as in YDB: ±10^35 infinite, 10^35 + 1 not a number.
const INFINITE = 10n ** 35n
const NAN = INFINITE + 1n

function isNan(value: bigint): boolean {
	return value > INFINITE || value < -INFINITE
}

function isInfinite(value: bigint): boolean {
	return value === INFINITE || value === -INFINITE
}

function bounded(value: bigint, precision: number): bigint {
	const limit = 10n ** BigInt(precision)
	return value >= limit ? INFINITE : value <= -limit ? -INFINITE : value
}

/** Quotient rounded half to even. */
function rounded(value: bigint, by: bigint): bigint {
	const negative = value < 0n !== by < 0n
	const [m, n] = [value < 0n ? -value : value, by < 0n ? -by : by]
	let out = m / n
	const rest = (m % n) * 2n
	if (rest > n || (rest === n && out % 2n === 1n)) out++
	return negative ? -out : out
}

/** An integer as a Decimal. */
export function scaled(value: bigint, precision: number, scale: number): bigint {
	return bounded(value * 10n ** BigInt(scale), precision)
}

export function addDecimals(a: bigint, b: bigint, precision: number): bigint {
	if (isNan(a) || isNan(b) || (isInfinite(a) && b === -a)) return NAN
	if (isInfinite(a)) return a
	return isInfinite(b) ? b : bounded(a + b, precision)
}

export function multiplyDecimals(a: bigint, b: bigint, precision: number, scale: number): bigint {
	const special = isInfinite(a) || isInfinite(b)
	if (isNan(a) || isNan(b) || (special && (a === 0n || b === 0n))) return NAN
	if (special) return a < 0n === b < 0n ? INFINITE : -INFINITE
	return bounded(rounded(a * b, 10n ** BigInt(scale)), precision)
}

export function divideDecimals(a: bigint, b: bigint, precision: number, scale: number): bigint {
	if (isNan(a) || isNan(b) || (isInfinite(a) && isInfinite(b)) || (a === 0n && b === 0n)) return NAN
	if (b === 0n || isInfinite(a)) return a < 0n === b < 0n ? INFINITE : -INFINITE
	if (isInfinite(b)) return 0n
	return bounded(rounded(a * 10n ** BigInt(scale), b), precision)
}

export function moduloDecimals(a: bigint, b: bigint): bigint {
	if (isNan(a) || isNan(b) || isInfinite(a) || b === 0n) return NAN
	return isInfinite(b) ? a : a % b
}
