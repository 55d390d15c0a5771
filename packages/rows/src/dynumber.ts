import { malformed } from './wire.ts'

interface Parts {
	/** -1, 0 or 1. */
	readonly sign: number
	/** The power of ten of the first digit. */
	readonly exponent: number
	/** Significant digits without zeros at either end. */
	readonly digits: string
}

const TEXT = /^([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?$/

/** Compares two DyNumbers given as text, by value. Throws `FORMAT_INVALID` when one is no number. */
export function compareDyNumbers(a: Uint8Array, b: Uint8Array): number {
	const x = parse(a)
	const y = parse(b)
	if (x.sign !== y.sign) return x.sign - y.sign
	if (x.sign === 0) return 0
	if (x.exponent !== y.exponent) return (x.exponent - y.exponent) * x.sign
	return (x.digits < y.digits ? -1 : x.digits > y.digits ? 1 : 0) * x.sign
}

function parse(bytes: Uint8Array): Parts {
	const text = String.fromCharCode(...bytes.subarray(0, 200))
	const match = TEXT.exec(text)
	if (match === null || `${match[2]}${match[3] ?? ''}` === '') throw malformed(`"${text}" is no DyNumber`)
	const whole = match[2]!
	const all = whole + (match[3] ?? '')
	const digits = all.replace(/^0+/, '')
	if (digits === '') return { sign: 0, exponent: 0, digits: '' }
	const exponent = whole.length - (all.length - digits.length) + Number(match[4] ?? 0)
	return { sign: match[1] === '-' ? -1 : 1, exponent, digits: digits.replace(/0+$/, '') }
}
