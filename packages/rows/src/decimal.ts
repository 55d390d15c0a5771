const INFINITY = 10n ** 35n
const NAN = INFINITY + 1n

/** The text of a Decimal value: trailing zeros of the fraction trimmed, `inf`, `-inf`, `nan` as YDB keeps them (±10^35, 10^35 + 1). */
export function printDecimal(value: bigint, scale: number): string {
	if (value === NAN) return 'nan'
	if (value >= INFINITY) return 'inf'
	if (value <= -INFINITY) return '-inf'
	const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
	const whole = digits.slice(0, digits.length - scale)
	const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
	return `${value < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** The signed 128-bit number of sixteen bytes, lowest first. */
export function readInt128(b: Uint8Array, p: number): bigint {
	const view = new DataView(b.buffer, b.byteOffset, b.byteLength)
	return (view.getBigInt64(p + 8, true) << 64n) | view.getBigUint64(p, true)
}
