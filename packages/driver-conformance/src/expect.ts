import { type ErrorCode, isBackupError } from '@ydbackup/core'

/** What a claim throws when it does not hold. */
export class ClaimBroken extends Error {
	override readonly name = 'ClaimBroken'
}

export function demand(isSo: boolean, otherwise: string): asserts isSo {
	if (!isSo) throw new ClaimBroken(otherwise)
}

/** Longer messages are cut off: a report is read by people. */
const LONGEST = 2000

/** An error in one line. */
export function described(error: unknown): string {
	if (error instanceof ClaimBroken) return error.message
	const text = isBackupError(error)
		? `${error.code}: ${error.message}`
		: error instanceof Error
			? `${error.name} without a code: ${error.message}`
			: String(error)
	return text.replaceAll(/\s*[\r\n]+\s*/g, ' ').slice(0, LONGEST)
}

/** The error of work that must fail with one of the codes. */
export async function refused(work: Promise<unknown>, what: string, ...codes: readonly ErrorCode[]): Promise<void> {
	const error = await work.then(
		() => new ClaimBroken(`${what} succeeded, and must fail with ${codes.join(' or ')}`),
		(thrown: unknown) => thrown,
	)
	if (codes.some((code) => isBackupError(error, code))) return
	if (error instanceof ClaimBroken) throw error
	throw new ClaimBroken(`${what} must fail with ${codes.join(' or ')}, and failed with ${described(error)}`)
}

/** The result of work that must be over by then, whatever it is. */
export async function within<T>(ms: number, what: string, work: PromiseLike<T>): Promise<T> {
	let timer: NodeJS.Timeout | undefined
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new ClaimBroken(`${what} was not over after ${ms} ms`)), ms)
	})
	void work.then(undefined, () => undefined)
	try {
		return await Promise.race([work, late])
	} finally {
		clearTimeout(timer)
	}
}

export function sameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
	demand(actual.length === expected.length, `${what} has ${actual.length} bytes instead of ${expected.length}`)
	if (Buffer.compare(actual, expected) === 0) return
	const at = actual.findIndex((byte, index) => byte !== expected[index])
	throw new ClaimBroken(`${what} has another byte than was written at ${at} of ${expected.length}`)
}

/** Compares sets of keys; the order and repetitions are other claims. */
export function sameKeys(actual: readonly string[], expected: readonly string[], what: string): void {
	const seen = new Set(actual)
	const wanted = new Set(expected)
	const missing = expected.filter((key) => !seen.has(key))
	const surplus = [...seen].filter((key) => !wanted.has(key))
	if (missing.length === 0 && surplus.length === 0) return
	const some = (keys: readonly string[]): string =>
		`${keys.length} of ${expected.length || keys.length}: ${keys.slice(0, 3).join(', ')}${keys.length > 3 ? ', …' : ''}`
	throw new ClaimBroken(
		[
			`${what} is wrong`,
			missing.length > 0 ? `it lacks ${some(missing)}` : undefined,
			surplus.length > 0 ? `it has ${surplus.length} too many: ${surplus.slice(0, 3).join(', ')}` : undefined,
		]
			.filter((part) => part !== undefined)
			.join('; '),
	)
}
